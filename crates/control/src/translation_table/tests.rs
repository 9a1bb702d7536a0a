//! Tests of the translation table.
