module github.com/proclineage/lineage

go 1.26
