// A picture to search with: dropped, pasted, or picked.

import { find } from "./dom.js";

export function listen(take) {
  const file = find("file");
  const drop = find("drop");
  find("pick").addEventListener("click", () => file.click());
  file.addEventListener("change", () => { if (file.files[0]) take(file.files[0]); file.value = ""; });

  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find(isPicture);
    if (!pasted) return;
    event.preventDefault();
    take(pasted);
  });

  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragenter", (event) => { if (carries(event)) { depth += 1; drop.hidden = false; } });
  document.addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); drop.hidden = depth === 0; });
  document.addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    drop.hidden = true;
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}

export const isPicture = (file) => file.type.startsWith("image/");
