//! A window over the last 64 sequence numbers: which of them were heard (IV-07), or heard back (IV-06).

/// 64 sequence numbers, newest first: bit `age` stands for the number `age` behind the newest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Window(u64);

impl Window {
    /// How many sequence numbers it covers (LOCAL_WIN).
    pub(super) const LEN: i32 = u64::BITS.cast_signed();

    /// Whether the number `age` behind the newest is marked; `false` outside the window.
    pub(super) const fn contains(self, age: i32) -> bool {
        0 <= age && age < Self::LEN && self.0 >> age & 1 != 0
    }

    /// Marks the number `age` behind the newest; nothing happens outside the window.
    pub(super) const fn mark(&mut self, age: i32) {
        if 0 <= age && age < Self::LEN {
            self.0 |= 1 << age;
        }
    }

    /// Makes room for `steps` newer numbers, none of them marked.
    pub(super) const fn slide(&mut self, steps: i32) {
        self.0 = if 0 <= steps && steps < Self::LEN { self.0 << steps } else { 0 };
    }

    /// How many are marked.
    pub(super) const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// Where a sequence number lies, seen from the newest one before it (IV-44).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The newest itself, or up to 63 behind it: its age.
    Inside(i32),
    /// 1 to 63 ahead.
    Ahead(i32),
    /// 64 to 65535 ahead: nothing of the window is left, but the sequence goes on.
    Jump,
    /// Too far in either direction: the originator counts anew (IV-42).
    Restart,
}

impl Step {
    /// Largest forward jump that is not taken as a restart, plus one (SEQ_RANGE).
    const RANGE: i32 = 65_536;

    /// Judges a number that is `ahead` ahead of the newest.
    pub(super) const fn of(ahead: i32) -> Self {
        match ahead {
            -63..=0 => Self::Inside(-ahead),
            1..=63 => Self::Ahead(ahead),
            64..Self::RANGE => Self::Jump,
            _ => Self::Restart,
        }
    }

    /// Whether the number becomes the newest one (IV-45).
    pub(super) const fn moves(self) -> bool {
        !matches!(self, Self::Inside(_))
    }
}
