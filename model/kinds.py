"""The closed choices that a checkpoint and a recipe are made of, known without loading any library."""

from typing import Literal

AdapterKind = Literal["lora", "ia3", "prefix", "frozen"]
"""What is trained beside the heads; `frozen` trains the heads alone."""
Precision = Literal["float32", "bfloat16", "nf4"]
"""How a backbone's weights are held in memory."""
Storage = Literal["float32", "float16", "bfloat16"]
"""How a backbone's weights are written."""
