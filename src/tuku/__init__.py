"""tuku (图库): turns a catalogue of images into a searchable, proven Milvus collection."""

__version__ = "0.1.0"
