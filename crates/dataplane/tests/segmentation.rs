//! What a network card would do for TCP: long segments of the host are cut, segments of the mesh are joined. Headers are
//! read and checksums computed by `etherparse`, which the code under test does not use.

#[path = "segmentation/cutting.rs"]
mod cutting;
#[path = "segmentation/joining.rs"]
mod joining;
#[path = "segmentation/tcp.rs"]
mod tcp;
