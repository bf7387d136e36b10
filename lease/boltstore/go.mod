module github.com/mcastalloc/malloc/lease/boltstore

go 1.25.0

require (
	github.com/mcastalloc/malloc v0.0.0
	go.etcd.io/bbolt v1.5.0
)

require golang.org/x/sys v0.47.0 // indirect

replace github.com/mcastalloc/malloc => ../..
