//! Settings over the control socket.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which settings are meant, and what one of them is to be.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SettingsRequest {
    /// Name or alias; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The value that it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What goes with the value: the class of a gateway client, or the bandwidth of a gateway server (MGMT section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The hard interface that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The VLAN that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

/// One setting.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SettingRow {
    /// Its name.
    pub name: String,
    /// Its short name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alias: String,
    /// The hard interface that it belongs to, if it is not one of the whole mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The VLAN that it belongs to, if it is not one of the whole mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// What it is.
    pub value: SettingValue,
    /// What it is if nobody says otherwise.
    pub default: SettingValue,
    /// What it can be.
    pub values: String,
    /// How batctl prints the value, if not as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

/// A value: JSON's true and false, a number, or a word.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// On or off.
    Switch(bool),
    /// A number.
    Number(u64),
    /// A word.
    Word(String),
}

impl fmt::Display for SettingValue {
    /// As batctl prints it (MGMT-22).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(true) => f.write_str("enabled"),
            Self::Switch(false) => f.write_str("disabled"),
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}
