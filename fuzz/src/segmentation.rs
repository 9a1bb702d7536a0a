//! A target for what a network card would do: any frames with any virtio header are cut, and frames of the mesh are joined.

use noctule_dataplane::segmentation::{Coalescer, ForHost, Segments, VirtioHeader};
use noctule_wire::payload::checksum;

/// Headers and 40 bytes of data of a TCP segment over IPv4 and of one over IPv6: what the steps begin with.
const SEGMENTS: [&[u8]; 2] = [
    &[
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 80, 0, 7, 0x40, 0, 64, 6, 0, 0, 10,
        0, 0, 1, 10, 0, 0, 2, 15, 160, 20, 81, 0, 0, 0, 0, 0, 0, 0, 77, 0x50, 0x10, 1, 245, 0, 0,
        0, 0,
    ],
    &[
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 60, 6, 64, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 15, 160,
        20, 81, 0, 0, 0, 0, 0, 0, 0, 77, 0x50, 0x10, 1, 245, 0, 0, 0, 0,
    ],
];
const DATA_LEN: u32 = 40;

/// Cuts what the host handed over, and joins what the mesh brings. Whatever has been joined is, cut again, what came.
pub fn fuzz_segmentation(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    if *kind % 2 == 0 { cut_anything(rest) } else { join(rest) }
}

fn cut_anything(data: &[u8]) {
    let Some((header, frame)) = data.split_first_chunk() else { return };
    let header = VirtioHeader::from_bytes(*header);
    for longest in [None, Some(frame.len() / 2)] {
        let mut frame = frame.to_vec();
        let len = frame.len();
        let Ok(mut segments) = Segments::new(&header, &mut frame, longest) else { continue };
        let mut count = 0;
        while let Some(segment) = segments.next() {
            assert!(segment.len() <= len);
            count += 1;
        }
        assert!(count <= len.max(1), "{count} parts of {len} bytes");
    }
}

/// Steps of four bytes: which flow it is, what is changed where, and how the numbers go on.
fn join(data: &[u8]) {
    let (mut coalescer, mut came, mut went) = (Coalescer::default(), Vec::new(), Vec::new());
    let mut numbers = [0_u32; 2];
    for step in data.chunks_exact(4).take(2000) {
        let &[what, at, xor, jump] = step else { continue };
        let which = usize::from(what & 1);
        let number = &mut numbers[which];
        let mut frame = SEGMENTS[which].to_vec();
        let (sequence, identification) = (*number * DATA_LEN, *number as u16);
        let tcp = if which == 0 { 34 } else { 54 };
        frame[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
        if which == 0 {
            frame[18..20].copy_from_slice(&identification.to_be_bytes());
        }
        frame.extend((0..DATA_LEN).map(|byte| byte as u8));
        if what & 2 != 0 {
            let len = frame.len();
            frame[usize::from(at) % len] ^= xor;
        }
        if what & 4 == 0 {
            checksum::fill(&mut frame);
        }
        if what & 8 != 0 {
            frame.truncate(frame.len().saturating_sub(usize::from(jump)));
        }
        *number = if what & 16 == 0 { number.wrapping_add(1) } else { jump.into() };
        coalescer.push(&frame, &mut |it| went.extend(parts(it)));
        came.push(frame);
        if what & 32 != 0 {
            coalescer.flush(&mut |it| went.extend(parts(it)));
        }
    }
    coalescer.flush(&mut |it| went.extend(parts(it)));
    assert_eq!(came.len(), went.len());
    for frame in came.iter_mut().chain(&mut went) {
        forget_identification(frame);
    }
    // In each flow the order stays; two flows may change places.
    for flow in flows(&came) {
        let of = |frames: &[Vec<u8>]| -> Vec<Vec<u8>> {
            frames.iter().filter(|frame| name(frame) == flow).cloned().collect()
        };
        assert_eq!(of(&came), of(&went));
    }
}

fn parts(it: ForHost<'_>) -> Vec<Vec<u8>> {
    let mut frame = it.frame.to_vec();
    let mut all = Vec::new();
    let mut segments = Segments::new(&it.header, &mut frame, None).expect("our own header");
    while let Some(segment) = segments.next() {
        all.push(segment.to_vec());
    }
    assert_eq!(all.len(), usize::from(it.count));
    all
}

/// What no datagram that must not be cut is known by, and what may stand there after it has been cut by us (RFC 6864).
fn forget_identification(frame: &mut [u8]) {
    if frame.get(12..14) == Some(&[8, 0]) && frame.get(20).is_some_and(|byte| byte & 0x40 != 0) {
        for at in [18, 19, 24, 25] {
            if let Some(byte) = frame.get_mut(at) {
                *byte = 0;
            }
        }
    }
}

/// Addresses, ports and protocol, or else the ethertype.
fn name(frame: &[u8]) -> Vec<u8> {
    let (from, protocol) = match frame.get(12..14) {
        Some([8, 0]) => (26..38, 23),
        Some([0x86, 0xdd]) => (22..58, 20),
        _ => (12..14, 12),
    };
    let mut name = frame.get(from).unwrap_or_default().to_vec();
    name.extend(frame.get(protocol));
    name
}

fn flows(frames: &[Vec<u8>]) -> std::collections::BTreeSet<Vec<u8>> {
    frames.iter().map(|frame| name(frame)).collect()
}
