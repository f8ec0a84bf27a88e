"""What providers of models that one hosts oneself share: families, folders, how pictures are prepared."""
