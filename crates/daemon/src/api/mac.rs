//! A MAC address as JSON writes it.

use noctule_wire::Mac;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A MAC address: in JSON a string like `"02:ba:00:00:01:01"`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address(pub Mac);

impl From<Mac> for Address {
    fn from(mac: Mac) -> Self {
        Self(mac)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a MAC address like 02:ba:00:00:01:01")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Address, E> {
                text.parse().map(Address).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}
