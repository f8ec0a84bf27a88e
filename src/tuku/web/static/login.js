// A page that is opened from elsewhere comes without its cookie (SameSite=Strict): loaded again from here, it has it.
const answer = await fetch("/session");
if (answer.ok && (await answer.json()).signed_in && location.pathname !== "/login") location.reload();
