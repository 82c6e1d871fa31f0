"""`minnow bench infer`: minnow.h beside ONNX Runtime, onnxruntime-web and torch, on four networks."""
