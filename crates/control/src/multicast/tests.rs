//! The rules of 09-multicast.md that the engine keeps.
