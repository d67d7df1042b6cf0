"""The Python worker and zygote. protocol/README.md is the contract; endpoint/workers/README.md says what user code may expect."""
VERSION = "0.1.0"
PROTOCOL_MINIMUM = 1
PROTOCOL_MAXIMUM = 1
