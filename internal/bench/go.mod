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

replace github.com/mcastalloc/malloc => ../..
