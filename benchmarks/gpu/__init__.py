"""What only a GPU can show, in pieces that also run small on a CPU: ``benchmarks.gpu_check``."""
