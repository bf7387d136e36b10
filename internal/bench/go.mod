module github.com/mcastalloc/malloc/internal/bench

go 1.25.0

require (
	github.com/gaissmai/bart v0.30.0
	github.com/gopacket/gopacket v1.7.7
	github.com/mcastalloc/malloc v0.0.0
	go4.org/netipx v0.0.0-20260823151212-3075585bcbeb
	golang.org/x/net v0.58.0
	pgregory.net/rapid v1.3.0
)

require github.com/osrg/gobgp/v4 v4.8.0

require (
	github.com/insomniacslk/dhcp v0.0.0-20260901064844-234b97448fae
	github.com/josharian/native v1.1.0 // indirect
	github.com/mcastalloc/malloc/lease/boltstore v0.0.0
	github.com/pierrec/lz4/v4 v4.1.14 // indirect
	github.com/u-root/uio v0.0.0-20230220225925-ffce2a382923 // indirect
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/mcastalloc/malloc => ../..

replace github.com/mcastalloc/malloc/lease/boltstore => ../../lease/boltstore
