"""What pyarrow does not say of an Arrow IPC message before it reads it: whether its buffers are compressed."""

from __future__ import annotations

import struct

# Fields of the tables Message and RecordBatch in Arrow's Message.fbs, by their position there.
HEADER_TYPE, HEADER, COMPRESSION = 1, 2, 3
RECORD_BATCH = 3
EXPERIMENTAL = b"ARROW:experimental_compression"  # how the format before 1.0 said it


def is_compressed(metadata: bytes) -> bool:
    """Whether a message is a record batch with compressed buffers, whose size in memory nothing limits.

    Args:
        metadata: of the message, a FlatBuffer.

    Raises:
        ValueError: it is none.
    """
    if EXPERIMENTAL in metadata:
        return True
    try:
        message = struct.unpack_from("<I", metadata)[0]
        kind, header = _field(metadata, message, HEADER_TYPE), _field(metadata, message, HEADER)
        if not kind or not header or metadata[kind] != RECORD_BATCH:
            return False
        batch = header + struct.unpack_from("<I", metadata, header)[0]
        return _field(metadata, batch, COMPRESSION) != 0
    except (struct.error, IndexError):
        raise ValueError("not the metadata of a message") from None


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a FlatBuffer's table stands; 0 if the table lacks it."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, fields)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, fields + 4 + 2 * number)[0]
    return table + offset if offset else 0
