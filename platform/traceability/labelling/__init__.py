"""Labels of lots: issued against packs, accounted for, printed on sheets and rolls."""
