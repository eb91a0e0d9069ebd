use crate::message::MessageError;

/// Why a transfer was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A block whose bytes are not those of its CID.
    Block(carpool_core::Error),
    /// Bytes that are no CAR.
    Car(carpool_car::Error),
    /// Bytes that are no message.
    Message(MessageError),
    /// What a machine has to say against its peer.
    Mirror(carpool_mirror::Error),
}

impl From<carpool_mirror::Error> for Failure {
    fn from(error: carpool_mirror::Error) -> Self {
        Self::Mirror(error)
    }
}
