//! Checksums and hashes of the protocol (WIRE-110 to WIRE-115).

use crate::{Mac, Vid};

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 != 0 { (value >> 1) ^ polynomial } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

static CRC32C: [u32; 256] = table(0x82f6_3b78);
static CRC16: [u32; 256] = table(0xa001);

/// CRC-32C without the usual inversions, continued from `seed`; start with 0 (WIRE-110, TT-53).
pub fn crc32c_raw(seed: u32, bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(seed, |crc, byte| (crc >> 8) ^ CRC32C[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

/// CRC-16/ARC, initial value 0: BLA group ids and claim CRCs (WIRE-112).
pub fn crc16_arc(bytes: &[u8]) -> u16 {
    let crc = bytes
        .iter()
        .fold(0u32, |crc, byte| (crc >> 8) ^ CRC16[usize::from(crc.to_le_bytes()[0] ^ byte)]);
    let [low, high, ..] = crc.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// Jenkins' lookup3 over a MAC address, the 32-bit little-endian variant with initial value 0 (WIRE-114).
pub const fn jenkins_lookup3(mac: Mac) -> u32 {
    let [m0, m1, m2, m3, m4, m5] = mac.0;
    let start = 0xdead_beef_u32.wrapping_add(6);
    let mut a = start.wrapping_add(u32::from_le_bytes([m0, m1, m2, m3]));
    let mut b = start.wrapping_add(u32::from_le_bytes([m4, m5, 0, 0]));
    let mut c = start;
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// Jenkins' one-at-a-time hash, initial value 0 (WIRE-115).
pub fn jenkins_one_at_a_time(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(0u32, |hash, byte| {
        let hash = hash.wrapping_add(u32::from(*byte));
        let hash = hash.wrapping_add(hash << 10);
        hash ^ (hash >> 6)
    });
    let hash = hash.wrapping_add(hash << 3);
    let hash = hash ^ (hash >> 11);
    hash.wrapping_add(hash << 15)
}

/// Where an originator stands in the distributed ARP table: 0 to 65534 (WIRE-114).
pub fn dat_address(originator: Mac) -> u16 {
    modulo_65535(jenkins_lookup3(originator))
}

/// Where an IPv4 address (network order) of a VLAN is stored in the distributed ARP table: 0 to 65534 (WIRE-115).
pub fn dat_key(address: [u8; 4], vid: Vid) -> u16 {
    let [a, b, c, d] = address;
    let [v0, v1] = vid.0.to_be_bytes();
    modulo_65535(jenkins_one_at_a_time(&[a, b, c, d, v0, v1]))
}

fn modulo_65535(hash: u32) -> u16 {
    u16::try_from(hash % 65535).expect("a remainder below 65535 fits 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_110_crc32c_raw_vector() {
        assert_eq!(crc32c_raw(0, b"123456789"), 0x58e3_fa20);
        let halves = crc32c_raw(crc32c_raw(0, b"1234"), b"56789");
        assert_eq!(halves, 0x58e3_fa20);
    }

    #[test]
    fn wire_112_crc16_vectors() {
        assert_eq!(crc16_arc(b"123456789"), 0xbb3d);
        assert_eq!(crc16_arc(&[0x02, 0xaa, 0, 0, 0, 1]), 0x3ad8);
        assert_eq!(crc16_arc(&[0x02, 0x11, 0x11, 0x11, 0x11, 0x11]), 0x8464);
        assert_eq!(crc16_arc(&[0x02, 0x22, 0x22, 0x22, 0x22, 0x22]), 0x2ecb);
    }

    #[test]
    fn wire_114_dat_address_vectors() {
        let a = Mac([0x02, 0xaa, 0, 0, 0, 1]);
        let b = Mac([0x02, 0xbb, 0, 0, 0, 1]);
        assert_eq!((jenkins_lookup3(a), dat_address(a)), (0x7c42_13df, 0x9021));
        assert_eq!((jenkins_lookup3(b), dat_address(b)), (0xe94c_6de1, 0x572e));
    }

    #[test]
    fn wire_115_dat_key_vector() {
        assert_eq!(jenkins_one_at_a_time(&[10, 0, 0, 2, 0, 0]), 0xa7f8_9ddb);
        assert_eq!(dat_key([10, 0, 0, 2], Vid::UNTAGGED), 0x45d4);
        assert_ne!(dat_key([10, 0, 0, 2], Vid(0x8005)), 0x45d4, "the VLAN enters the key");
    }
}
