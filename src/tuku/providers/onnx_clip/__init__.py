"""A CLIP that was exported to ONNX: two encoders and a tokenizer, on onnxruntime, without PyTorch."""
