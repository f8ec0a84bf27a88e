"""Image-and-text models that one hosts oneself: Chinese-CLIP, CLIP and SigLIP, by transformers and PyTorch."""
