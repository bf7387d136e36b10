module github.com/mcastalloc/malloc/internal/bench

go 1.25.0

require (
	github.com/gaissmai/bart v0.30.0
	github.com/mcastalloc/malloc v0.0.0
	go4.org/netipx v0.0.0-20260823151212-3075585bcbeb
)

replace github.com/mcastalloc/malloc => ../..
