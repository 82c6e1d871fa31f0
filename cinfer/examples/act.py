"""act.c from Python with nothing but ctypes: `python act.py libminnow.so policy.minnow`. The library is the header:

cc -O3 -shared -fPIC -x c -DMINNOW_IMPLEMENTATION ../minnow.h -o libminnow.so
"""

import ctypes
import sys
from pathlib import Path

library, path = sys.argv[1:]
c = ctypes.CDLL(str(Path(library).resolve()))
size_t, pointer = ctypes.c_size_t, ctypes.c_void_p
c.minnow_size.restype = c.minnow_session_size.restype = size_t
for name in ("minnow_load", "minnow_session_init"):
    getattr(c, name).restype = pointer
for name in ("minnow_logits", "minnow_action"):
    getattr(c, name).restype = ctypes.POINTER(ctypes.c_float if name == "minnow_logits" else ctypes.c_int32)
c.minnow_message.restype = ctypes.c_char_p

file = Path(path).read_bytes()  # must outlive the policy
error = (ctypes.c_uint64 * 5)()  # a minnow_error; its first four bytes are the number
need = c.minnow_size(file, size_t(len(file)), error)
if not need:
    sys.exit(c.minnow_message(ctypes.c_int32(error[0] & 0x7FFFFFFF)).decode())
block = ctypes.create_string_buffer(need)
policy = pointer(c.minnow_load(file, size_t(len(file)), block, size_t(need), None))
need = c.minnow_session_size(policy, 1, 0)
memory = ctypes.create_string_buffer(need)
session = pointer(c.minnow_session_init(policy, 1, 0, ctypes.c_uint64(42), memory, size_t(need), None))

INPUTS, CHOICES = 8, 3
for step in range(5):
    obs = (ctypes.c_float * INPUTS)(*((7 * step + 3 * i) % 11 * 0.25 - 1 for i in range(INPUTS)))
    if c.minnow_step(session, obs, None):
        sys.exit("the step failed")
    print(c.minnow_action(session)[0], *(f"{x:.9g}" for x in c.minnow_logits(session)[:CHOICES]))
