#![expect(unsafe_code, reason = "instructions of the SHA unit, behind a proof that it is there")]

use core::{arch::x86_64::*, hint::black_box};

use crate::{
    Digest,
    kernel::{Kernel, Words},
    portable::INITIAL,
};

cpufeatures::new!(features, "sha", "sse2", "ssse3", "sse4.1", "avx");

const LINE_BYTES: usize = 64;
const PREFETCH_LINES: usize = 16;

/// The SHA extensions. A value is proof that this machine has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShaNi(());

impl ShaNi {
    pub(crate) fn detect() -> Option<Self> {
        features::get().then_some(Self(()))
    }
}

/// A state as `sha256rnds2` takes it: words A, B, E, F and C, D, G, H, the first one highest.
#[derive(Clone, Copy)]
pub(crate) struct State {
    abef: __m128i,
    cdgh: __m128i,
}

impl Kernel for ShaNi {
    type State = State;

    #[inline]
    fn initial(self) -> State {
        // SAFETY: a `ShaNi` exists only where the features were detected.
        unsafe { initial() }
    }

    #[inline]
    fn step<const N: usize>(self, states: &mut [State; N], blocks: [&[Words]; N]) {
        // SAFETY: a `ShaNi` exists only where the features were detected.
        unsafe { step(states, blocks) }
    }

    #[inline]
    fn prefetch(self, message: &[u8]) {
        for line in message.chunks(LINE_BYTES).take(PREFETCH_LINES) {
            // SAFETY: a hint, which reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
        }
    }

    #[inline]
    fn digest(self, state: &State) -> Digest {
        // SAFETY: a `ShaNi` exists only where the features were detected.
        unsafe { digest(*state) }
    }
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn initial() -> State {
    let [a, b, c, d, e, f, g, h] = INITIAL.map(u32::cast_signed);
    State { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn digest(State { abef, cdgh }: State) -> Digest {
    let feba = _mm_shuffle_epi32::<0x1b>(abef);
    let dchg = _mm_shuffle_epi32::<0xb1>(cdgh);
    let abcd = swap(_mm_blend_epi16::<0xf0>(feba, dchg));
    let efgh = swap(_mm_alignr_epi8::<8>(dchg, feba));
    let mut digest = Digest::default();
    let (halves, _) = digest.as_chunks_mut();
    store(&mut halves[0], abcd);
    store(&mut halves[1], efgh);
    digest
}

/// Turns each word from the order of bytes on the wire to that of the machine, or back.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn swap(words: __m128i) -> __m128i {
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(words, order)
}

#[inline(always)]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load takes any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn store(bytes: &mut [u8; 16], value: __m128i) {
    // SAFETY: 16 bytes are writable, and the store takes any alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

/// Steps over the blocks of all lanes, four rounds of each by turns (FIPS 180-4 §6.2.2).
///
/// The compiler is not to know the constants: it would keep each one in a place of its own, and
/// order everything by when that is loaded, so that the SHA unit waits.
///
/// No closures from here on: they are not inlined into functions with target features.
#[expect(clippy::needless_range_loop, reason = "the n-th block of each lane")]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn step<const N: usize>(states: &mut [State; N], blocks: [&[Words]; N]) {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    let mut current = *states;
    let k = black_box(&K);
    for n in 0..count {
        let before = current;
        let mut w: Schedule<N> = [[_mm_setzero_si128(); 4]; N];
        for lane in 0..N {
            w[lane] = words(&blocks[lane][n]);
        }
        compress(&mut current, w, k);
        for lane in 0..N {
            current[lane].abef = _mm_add_epi32(current[lane].abef, before[lane].abef);
            current[lane].cdgh = _mm_add_epi32(current[lane].cdgh, before[lane].cdgh);
        }
    }
    *states = current;
}

/// Sixteen words of the schedule of each lane, the oldest four first.
type Schedule<const N: usize> = [[__m128i; 4]; N];

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn compress<const N: usize>(states: &mut [State; N], mut w: Schedule<N>, k: &[Constants; 16]) {
    macro_rules! first {
        ($($n:literal)*) => { $(
            for lane in 0..N {
                rounds(&mut states[lane], w[lane][$n], &k[$n]);
            }
        )* };
    }
    macro_rules! rest {
        ($($n:literal)*) => { $(
            for lane in 0..N {
                let [w0, w1, w2, w3] = w[lane];
                let w4 = schedule(w0, w1, w2, w3);
                w[lane] = [w1, w2, w3, w4];
                rounds(&mut states[lane], w4, &k[$n]);
            }
        )* };
    }
    first!(0 1 2 3);
    rest!(4 5 6 7 8 9 10 11 12 13 14 15);
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn words(block: &Words) -> [__m128i; 4] {
    let (quarters, _) = block.as_chunks();
    [
        swap(load(&quarters[0])),
        swap(load(&quarters[1])),
        swap(load(&quarters[2])),
        swap(load(&quarters[3])),
    ]
}

/// The next four words of the schedule.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn schedule(w0: __m128i, w1: __m128i, w2: __m128i, w3: __m128i) -> __m128i {
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
    _mm_sha256msg2_epu32(sum, w3)
}

/// Rounds 4n to 4n + 3.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1,avx")]
fn rounds(state: &mut State, w: __m128i, k: &Constants) {
    let sum = _mm_add_epi32(w, load(&k.0));
    state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, sum);
    state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32::<0x0e>(sum));
}

/// The constants of four rounds, aligned for use from memory.
#[repr(align(16))]
struct Constants([u8; 16]);

/// FIPS 180-4 §4.2.2.
static K: [Constants; 16] = [
    constants([0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5]),
    constants([0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5]),
    constants([0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3]),
    constants([0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174]),
    constants([0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc]),
    constants([0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da]),
    constants([0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7]),
    constants([0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967]),
    constants([0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13]),
    constants([0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85]),
    constants([0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3]),
    constants([0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070]),
    constants([0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5]),
    constants([0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3]),
    constants([0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208]),
    constants([0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2]),
];

const fn constants(words: [u32; 4]) -> Constants {
    let mut bytes = [0; 16];
    let mut n = 0;
    while n < 16 {
        bytes[n] = words[n / 4].to_le_bytes()[n % 4];
        n += 1;
    }
    Constants(bytes)
}
