//! The formulas against the tables of the page.

use crate::batman_iv::tq::{
    TqRing, after_hop, asymmetry, interface_quality, own_quality, record_quality,
};

#[test]
fn iv_62_asymmetry_table() {
    #[rustfmt::skip]
    let rows = [
        (0, 0), (1, 12), (2, 24), (3, 35), (4, 45), (5, 56), (6, 66), (7, 75), (8, 85), (10, 102), (12, 119), (16, 148),
        (20, 173), (24, 193), (32, 224), (40, 242), (48, 252), (50, 253), (52, 254), (54, 255), (64, 255),
    ];
    for (received, expected) in rows {
        assert_eq!(asymmetry(received), expected, "r = {received}");
    }
    assert!((54..=64).all(|received| asymmetry(received) == 255));
}

/// IV-61, IV-64, IV-66: the table of section 7.
#[test]
fn iv_61_iv_64_iv_66_quality_of_one_link() {
    #[rustfmt::skip]
    let rows = [
        // r, e, own, TQ, because
        (64, 64, 255, 255, "lossless"),
        (64, 63, 251, 251, "lossless, between own emission and its echo"),
        (64, 48, 191, 191, "our frames lost 25 %"),
        (64, 32, 127, 127, "our frames lost 50 %"),
        (48, 48, 255, 252, "we miss 25 %"),
        (32, 32, 255, 224, "we miss 50 %"),
        (32, 16, 127, 111, "both"),
        (32, 64, 255, 224, "e capped at r"),
        ( 1,  1, 255,  12, "second record of a new neighbour"),
        ( 0,  9,   0,   0, "nothing received"),
        ( 9,  0,   0,   0, "nothing came back"),
    ];
    for (received, echoed, own, tq, because) in rows {
        assert_eq!(own_quality(echoed, received), own, "{because}");
        let product = record_quality(255, own, asymmetry(received), 255);
        assert_eq!(product, tq, "{because}");
    }
}

#[test]
fn iv_64_divides_once() {
    // 200 * 200 / 255 * 200 / 255 … cut after each factor would be 96.
    assert_eq!(record_quality(200, 200, 200, 255), 123);
    assert_eq!(record_quality(255, 127, 24, 255), 11, "k = 2 of table 14.4");
    assert_eq!(record_quality(255, 255, 255, 255), 255, "the largest product fits");
}

/// IV-63, FWD-131: the penalty of an interface, and that of a half-duplex one on top.
#[test]
fn iv_63_interface_quality() {
    assert_eq!(interface_quality(0, None), 255);
    assert_eq!(interface_quality(55, None), 200);
    assert_eq!(interface_quality(255, None), 0);
    assert_eq!(interface_quality(0, Some(30)), 225);
    assert_eq!(interface_quality(55, Some(30)), 176, "200 * 225 / 255, cut");
}

/// IV-83: the ladders of 14.1.
#[test]
fn iv_83_hop_penalty_ladders() {
    let ladders: [(u8, &[u8]); 6] = [
        (30, &[255, 225, 198, 174, 153, 135, 119, 105, 92, 81, 71, 62, 54]),
        (0, &[255, 255, 255, 255]),
        (10, &[255, 245, 235, 225, 216]),
        (60, &[255, 195, 149, 113, 86]),
        (120, &[255, 135, 71, 37, 19]),
        (255, &[255, 0]),
    ];
    for (penalty, ladder) in ladders {
        for step in ladder.windows(2) {
            assert_eq!(after_hop(step[0], penalty), step[1], "penalty {penalty}");
        }
    }
}

#[test]
fn iv_69_zeros_age_values_out_but_do_not_lower_the_average() {
    let mut ring = TqRing::default();
    assert_eq!(ring.average(), 0);
    #[rustfmt::skip]
    let rows = [
        (12, 12), (24, 18), (35, 23), (45, 29), (56, 34), (66, 45), (75, 55),
        (0, 60), (0, 65), (0, 70), (0, 75), (0, 0), (9, 9),
    ];
    for (tq, average) in rows {
        ring.push(tq);
        assert_eq!(ring.average(), average, "after {tq}");
    }
}
