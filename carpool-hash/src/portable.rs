use sha2::digest::generic_array::GenericArray;

use crate::{
    Digest,
    kernel::{Kernel, Words},
};

/// One state after the other, through `sha2`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

/// FIPS 180-4 §5.3.3.
pub(crate) const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

impl Kernel for Portable {
    type State = [u32; 8];

    fn initial(self) -> Self::State {
        INITIAL
    }

    fn step<const N: usize>(self, states: &mut [Self::State; N], blocks: [&[Words]; N]) {
        for (state, blocks) in states.iter_mut().zip(blocks) {
            for block in blocks {
                let block = GenericArray::from_slice(block);
                sha2::compress256(state, core::slice::from_ref(block));
            }
        }
    }

    fn digest(self, state: &Self::State) -> Digest {
        let mut digest = Digest::default();
        let (words, _) = digest.as_chunks_mut::<4>();
        for (bytes, word) in words.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}
