# Rows of a Parquet or Arrow file as JSON lines, for data/corpus/arrow_rows.cpp, which runs this in a child process:
# `python3 -c ... FILE COLUMN`. Without a column: all columns. Exit status 3: refused, with a sentence on standard
# error; 4: there is no pyarrow. Bytes that are not valid UTF-8 are written unchanged.
import sys

sys.path = [folder for folder in sys.path if folder]  # no module of the working directory

import json
import os
import resource

os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
ROWS_AT_ONCE = 256
MEMORY_BYTES = 8 << 30  # of address space: what a corrupt file may ask for
path, column = sys.argv[1], sys.argv[2]


def leave(status, sentence=""):
    os.write(2, sentence.encode("utf-8", "surrogateescape"))
    os._exit(status)


try:
    import pyarrow
    import pyarrow.parquet
except ImportError as error:
    leave(4, str(error))


def opened():
    """Its format, its schema, and its record batches."""
    with open(path, "rb") as file:
        head = file.read(6)
    if head.startswith(b"PAR1"):
        file = pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        columns = [column] if column else None
        return file.schema_arrow, lambda: file.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False)
    source = pyarrow.OSFile(path)
    if head == b"ARROW1":
        file = pyarrow.ipc.open_file(source)
        return file.schema, lambda: map(file.get_batch, range(file.num_record_batches))
    if head.startswith(b"\xff\xff\xff\xff"):
        file = pyarrow.ipc.open_stream(source)
        return file.schema, lambda: file
    leave(3, f"{path} is neither a Parquet file nor one of Arrow.")


def texts_of(kind):
    """Is the type one of texts?"""
    types = pyarrow.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)


def check_column(schema):
    count = schema.names.count(column)
    if count != 1:
        names = "`, `".join(schema.names[:20])
        leave(3, f"{path} has {'no column' if count == 0 else 'more than one column'} `{column}`; it has `{names}`.")
    if not texts_of(schema.field(column).type):
        leave(3, f"{path}: the column `{column}` is of type {schema.field(column).type}; a text is expected.")


def values_of(array):
    # As bytes, so that what is not valid UTF-8 comes through; the parser of the rows replaces and counts it.
    binary = {pyarrow.string(): pyarrow.binary(), pyarrow.large_string(): pyarrow.large_binary()}.get(array.type)
    if binary is not None:
        array = array.cast(binary)
    array.validate(full=True)
    if binary is None:
        return array.to_pylist()
    return [None if value is None else value.decode("utf-8", "surrogateescape") for value in array.to_pylist()]


def written(value):
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def write_rows():
    schema, batches = opened()
    if column:
        check_column(schema)
    names = [column] if column else schema.names
    for batch in batches():
        for begin in range(0, batch.num_rows, ROWS_AT_ONCE):
            piece = batch.slice(begin, ROWS_AT_ONCE)
            places = [piece.schema.get_field_index(column)] if column else range(piece.num_columns)
            rows = zip(*(values_of(piece.column(place)) for place in places))
            lines = [json.dumps(dict(zip(names, row)), ensure_ascii=False, default=written) + "\n" for row in rows]
            sys.stdout.buffer.write("".join(lines).encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def limit(kind, value):
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


limit(resource.RLIMIT_CORE, 0)
limit(resource.RLIMIT_AS, MEMORY_BYTES)
pyarrow.set_cpu_count(1)
try:
    write_rows()
except BrokenPipeError:
    os._exit(0)
except MemoryError:
    leave(3, f"{path} asks for more memory than any such file needs; it is corrupt.")
except Exception as error:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
    place = f"{path}, column `{column}`," if column else path
    leave(3, f"{place} cannot be read: {reason}. Copy or download it again.")
os._exit(0)
