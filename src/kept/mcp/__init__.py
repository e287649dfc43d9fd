"""MCP: one table of tools, served over standard input and output and over HTTP, in both eras of the protocol.

What runs before a client's handshake is answered imports the cheap part of the standard library and nothing else: clients drop the
tools of a server that is late. A test holds it.
"""
