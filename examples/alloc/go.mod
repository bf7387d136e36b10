module github.com/mcastalloc/malloc/examples/alloc

go 1.25.0

require (
	github.com/mcastalloc/malloc v0.0.0
	github.com/mcastalloc/malloc/lease/boltstore v0.0.0
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.47.0
)

require golang.org/x/net v0.58.0 // indirect

replace github.com/mcastalloc/malloc => ../..

replace github.com/mcastalloc/malloc/lease/boltstore => ../../lease/boltstore
