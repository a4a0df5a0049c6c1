use hwlocality::topology::export::xml::XMLExportFlags;

use super::*;

fn synthetic(description: &str) -> Topology {
    let builder = Topology::builder().from_synthetic(description).unwrap();
    builder.with_flags(BuildFlags::INCLUDE_DISALLOWED).unwrap().build().unwrap()
}

fn cpus(ids: std::ops::Range<u32>) -> Vec<Cpu> {
    ids.map(Cpu).collect()
}

#[test]
fn two_sockets() {
    let nodes = nodes_of(&synthetic("pack:2 [numa(memory=4194304)] core:4 pu:2")).unwrap();
    let all: Vec<_> = nodes.iter().map(|node| (node.id, node.cpus.clone(), node.memory_bytes)).collect();
    assert_eq!(all, [(Node(0), cpus(0..8), 4 << 20), (Node(1), cpus(8..16), 4 << 20)]);
}

#[test]
fn memory_alone_has_no_cpus_wherever_it_is_attached() {
    for description in
        ["[numa(indexes=2)] pack:2 [numa(indexes=0,1)] core:2 pu:1", "[numa] pack:2 [numa] core:2 pu:1"]
    {
        let nodes = nodes_of(&synthetic(description)).unwrap();
        let owners: Vec<_> =
            nodes.iter().filter(|node| !node.cpus.is_empty()).map(|node| &node.cpus).collect();
        assert_eq!(nodes.len(), 3, "{nodes:?}");
        assert_eq!(owners, [&cpus(0..2), &cpus(2..4)], "{nodes:?}");
    }
    let nodes = nodes_of(&synthetic("pack:2 [numa(indexes=0,2,1,3)] [numa] core:2 pu:1")).unwrap();
    let counts: Vec<_> = nodes.iter().map(|node| (node.id.0, node.cpus.len())).collect();
    assert_eq!(counts, [(0, 2), (1, 2), (2, 0), (3, 0)]);
}

#[test]
fn sparse_numbers_are_the_systems_own() {
    let nodes = nodes_of(&synthetic("pack:2 [numa(indexes=8,3)] pu:2(indexes=40,41,6,7)")).unwrap();
    let all: Vec<_> = nodes.iter().map(|node| (node.id, node.cpus.clone())).collect();
    assert_eq!(all, [(Node(3), cpus(6..8)), (Node(8), cpus(40..42))]);
}

#[test]
fn another_machine_is_not_this_one() {
    let other = synthetic("pack:2 [numa] pu:2");
    assert!(matches!(this_machine(&other), Err(HwlocError::OtherMachine)));
}

#[test]
fn hwloc_and_sysfs_agree_on_this_machine() {
    let sysfs = crate::sysfs::nodes(std::path::Path::new("/sys")).unwrap();
    assert_eq!(nodes().unwrap(), sysfs);
    assert_eq!(crate::Topology::detect().source(), crate::Source::Hwloc);
}

#[test]
fn distances_are_rows_to_the_other_nodes() {
    let matrix = |name: &str, values: &str| {
        format!(
            r#"<distances2 type="NUMANode" nbobjs="2" kind="5" name="{name}" indexing="os">
            <indexes length="4">8 3 </indexes><u64values length="{}">{values}</u64values></distances2>"#,
            values.len()
        )
    };
    let matrices = matrix("NUMALatency", "10 21 22 10 ") + &matrix("Other", "1 2 3 4 ");
    let plain =
        synthetic("pack:2 [numa(indexes=8,3)] pu:2").export_xml(XMLExportFlags::empty()).unwrap().to_string();
    let xml = plain.replace("</topology>", &(matrices + "</topology>"));
    let nodes = nodes_of(&Topology::builder().from_xml(&xml).unwrap().build().unwrap()).unwrap();
    let all: Vec<_> = nodes.iter().map(|node| (node.id, &node.distances[..])).collect();
    assert_eq!(all, [(Node(3), &[(Node(8), 22)][..]), (Node(8), &[(Node(3), 21)][..])]);
}
