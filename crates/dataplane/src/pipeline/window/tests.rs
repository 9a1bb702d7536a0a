//! What the window says about each number.
