@echo off
rem Starts the memory server; kept is found on the path.
kept mcp %*
