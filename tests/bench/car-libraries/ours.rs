//! Our cases in the groups of the kit, and the groups that goals are set for. `car-libraries.sh` puts
//! this into the kit as a module.
use car_bench::Group;
use carpool_car::{Decoder, Item, Options, SectionRef, Sections, header, write_section};
use carpool_core::{Bytes, Limits, Unverified, codec, for_each_link, for_each_link_bytes};
use cid::Cid;
use multihash_codetable::{Code, MultihashDigest};
use rand::{Rng, RngCore, SeedableRng, rngs::SmallRng};
use sha2::{Digest, Sha256};
use std::{
    cell::RefCell,
    fs::File,
    io::Read,
    path::Path,
    sync::Mutex,
    thread,
};

type Written = Vec<(Cid, Vec<u8>)>;

/// Sections that are hashed together: several times as many as there are lanes.
const BATCH: usize = 64;

/// A window of a file: what a core's cache holds beside everything else. It grows where a section is
/// longer.
const WINDOW: usize = 128 << 10;

/// Into `read/noverify` and `read/verify`.
pub fn read<'a>(g: &mut Group<'a>, car: &'a [u8], path: &'a Path, verify: bool) {
    let shared = Bytes::copy_from_slice(car);
    g.add("carpool-car Decoder, Bytes", move || decoder(&shared, verify));
    g.add("carpool-car Sections, &[u8]", move || if verify { one_core(car) } else { borrowed(car) });
    let window = RefCell::new(vec![0; WINDOW]);
    g.add("carpool-car Sections::window, File", move || {
        file(path, &mut window.borrow_mut(), verify)
    });
}

/// Into `write`.
pub fn write<'a>(g: &mut Group<'a>, blocks: &'a Written, warm: &'a RefCell<Vec<u8>>) {
    let root = blocks.last().expect("some").0;
    g.add("carpool-car write_section -> warm Vec", move || {
        let mut out = warm.take();
        out.clear();
        out.extend_from_slice(&header(&[root]));
        blocks.iter().for_each(|(cid, data)| write_section(&mut out, cid, data));
        let len = out.len() as u64;
        warm.replace(out);
        len
    });
}

/// Into `links`.
pub fn links<'a>(g: &mut Group<'a>, blocks: &'a Written) {
    g.add("carpool-core for_each_link_bytes", move || {
        let (limits, mut n) = (Limits::default(), 0);
        for (cid, data) in blocks {
            for_each_link_bytes(cid, data, &limits, |link| n += u64::from(!link.is_empty()))
                .expect("a good block");
        }
        n
    });
    g.add("carpool-core for_each_link", move || {
        let (limits, mut n) = (Limits::default(), 0);
        for (cid, data) in blocks {
            for_each_link(cid, data, &limits, |_| n += 1).expect("a good block");
        }
        n
    });
}

/// Groups of their own: `sha2` over the payload, and reading with every block verified.
pub fn goals(set: &str, path: &Path) {
    let car = &*std::fs::read(path).expect("the kit wrote it");
    let shared = &Bytes::copy_from_slice(car);
    let mut g = Group::new(format!("goal/verify/{set}"), sections(car).map(|s| s.data.len() as u64).sum());
    g.add("sha2 0.10 of the payload", || {
        sections(car).map(|section| u64::from(Sha256::digest(section.data)[0].max(1) > 0)).sum()
    });
    g.add("carpool-car Sections, one core", || one_core(car));
    g.add("carpool-car Decoder, one core", || decoder(shared, true));
    g.add("carpool-car Sections, two cores", || two_cores(car));
    g.run();
}

/// Sizes from 100 B to 256 KiB, as many of each order of magnitude: 128 MiB.
pub fn mixed() -> Written {
    let mut random = SmallRng::seed_from_u64(4);
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    while bytes < 128 << 20 {
        let size = (100.0 * 2621.44_f64.powf(random.gen::<f64>())) as usize;
        let mut data = vec![0; size];
        random.fill_bytes(&mut data);
        bytes += size;
        blocks.push((Cid::new_v1(codec::RAW, Code::Sha2_256.digest(&data)), data));
    }
    blocks
}

fn sections(car: &[u8]) -> impl Iterator<Item = SectionRef<'_>> {
    let (_, sections) = Sections::open(car, &Options::default()).expect("a good CAR");
    sections.map(|section| section.expect("a good section"))
}

fn borrowed(car: &[u8]) -> u64 {
    sections(car).map(|section| u64::from(!section.cid.is_empty())).sum()
}

fn decoder(car: &Bytes, verify: bool) -> u64 {
    let mut decoder = Decoder::new(&Limits::default());
    decoder.handle_data(car.clone());
    decoder.handle_eof();
    let (mut n, mut batch) = (0, Vec::with_capacity(BATCH));
    while let Some(item) = decoder.poll().expect("a good CAR") {
        let Item::Section(section) = item else { continue };
        n += 1;
        if verify {
            batch.push(Unverified { cid: section.cid, data: section.data });
            if batch.len() == BATCH {
                check(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
            }
        }
    }
    check(batch);
    n
}

fn check(batch: Vec<Unverified>) {
    assert!(carpool_core::verify(batch).iter().all(Result::is_ok));
}

fn file(path: &Path, window: &mut Vec<u8>, verify: bool) -> u64 {
    let mut file = File::open(path).expect("the kit wrote it");
    let (mut held, mut n, mut offset) = (0, 0, 0);
    loop {
        if held == window.len() {
            window.resize(2 * held, 0);
        }
        let read = file.read(&mut window[held..]).expect("readable");
        held += read;
        let mut start = 0;
        if offset == 0 {
            let (_, opened) =
                Sections::open(&window[..held], &Options::default()).expect("a good header");
            start = usize::try_from(opened.offset()).expect("short");
            offset = opened.offset();
        }
        let mut sections = Sections::window(&window[start..held], offset, &Limits::default());
        let mut lanes = Lanes::default();
        for section in &mut sections {
            let section = section.expect("a good section");
            n += 1;
            if verify {
                lanes.push(section);
            }
        }
        lanes.flush();
        (start, offset) = (held - sections.rest().len(), sections.offset());
        window.copy_within(start..held, 0);
        held -= start;
        if read == 0 {
            assert_eq!(held, 0, "a whole CAR");
            return n;
        }
    }
}

/// Sections that wait to be hashed together.
#[derive(Default)]
struct Lanes<'a> {
    waiting: Vec<SectionRef<'a>>,
}

impl<'a> Lanes<'a> {
    fn push(&mut self, section: SectionRef<'a>) {
        self.waiting.push(section);
        if self.waiting.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        hold(&self.waiting);
        self.waiting.clear();
    }
}

/// Every section has the digest that its CID names.
fn hold(sections: &[SectionRef<'_>]) {
    let data: Vec<&[u8]> = sections.iter().map(|section| section.data).collect();
    let digests = carpool_hash::sha2_256_each(&data);
    assert!(sections.iter().zip(&digests).all(|(section, digest)| section.cid.ends_with(digest)));
}

fn one_core(car: &[u8]) -> u64 {
    let (mut lanes, mut n) = (Lanes::default(), 0);
    sections(car).for_each(|section| {
        lanes.push(section);
        n += 1;
    });
    lanes.flush();
    n
}

/// Two threads take batches, one after the other.
fn two_cores(car: &[u8]) -> u64 {
    let (_, sections) = Sections::open(car, &Options::default()).expect("a good CAR");
    let sections = &Mutex::new(sections);
    let work = move || {
        let (mut batch, mut n) = (Vec::with_capacity(BATCH), 0);
        loop {
            batch.clear();
            let mut next = sections.lock().expect("nobody panics");
            batch.extend(next.by_ref().take(BATCH).map(|section| section.expect("a good section")));
            drop(next);
            if batch.is_empty() {
                return n;
            }
            hold(&batch);
            n += batch.len() as u64;
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work() + other.join().expect("it hashes")
    })
}
