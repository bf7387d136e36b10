// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/etcdstore"
)

// cluster is etcd in this process.
type cluster []*embed.Etcd

// shared is the one server that most tests use, each under a prefix of its own.
var shared cluster

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "etcdstore")
	if err == nil {
		shared, err = startCluster(dir, 1, noSync)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	shared.close()
	os.RemoveAll(dir)
	os.Exit(code)
}

// noSync is for tests that do not depend on what is on the disk.
func noSync(c *embed.Config) { c.UnsafeNoFsync = true }

// startCluster starts so many servers, with quick elections, and waits until
// they serve.
func startCluster(dir string, servers int, adjust func(*embed.Config)) (c cluster, err error) {
	var configs []*embed.Config
	var members []string
	for i := range servers {
		cfg := embed.NewConfig()
		cfg.Name = fmt.Sprint("etcd", i)
		cfg.Dir = filepath.Join(dir, cfg.Name)
		cfg.TickMs, cfg.ElectionMs = 50, 500
		cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		peer, err := freeURL()
		if err != nil {
			return nil, err
		}
		cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
		client := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
		cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
		if adjust != nil {
			adjust(cfg)
		}
		configs = append(configs, cfg)
		members = append(members, cfg.Name+"="+peer.String())
	}
	for _, cfg := range configs {
		cfg.InitialCluster = strings.Join(members, ",")
		e, err := embed.StartEtcd(cfg)
		if err != nil {
			c.close()
			return nil, err
		}
		c = append(c, e)
	}
	for _, e := range c {
		select {
		case <-e.Server.ReadyNotify():
		case err = <-e.Err():
		case <-time.After(time.Minute):
			err = fmt.Errorf("%s does not get ready", e.Config().Name)
		}
		if err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// freeURL returns where a server can listen to its peers, who must know it
// beforehand.
func freeURL() (url.URL, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return url.URL{}, err
	}
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}, nil
}

func (c cluster) close() {
	for _, e := range c {
		e.Close()
	}
}

// address of a server for its clients.
func (c cluster) address(i int) string { return c[i].Clients[0].Addr().String() }

// leader returns which server leads.
func (c cluster) leader(t *testing.T) int {
	for {
		for i, e := range c {
			if e.Server.Leader() == e.Server.MemberID() {
				return i
			}
		}
		pause(t)
	}
}

// isolate cuts a server off from all others, or takes it back.
func (c cluster) isolate(i int, cut bool) {
	between := func(a, b *embed.Etcd) {
		if cut {
			a.Server.CutPeer(b.Server.MemberID())
		} else {
			a.Server.MendPeer(b.Server.MemberID())
		}
	}
	for j := range c {
		if j != i {
			between(c[i], c[j])
			between(c[j], c[i])
		}
	}
}

// waitLeader waits until a server knows of a leader, or of none.
func (c cluster) waitLeader(t *testing.T, i int, known bool) {
	for (c[i].Server.Leader() != 0) != known {
		pause(t)
	}
}

// pause lets a moment pass between two looks at something that is on its way.
func pause(t testing.TB) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

var prefixes atomic.Int64

// newPrefix returns one that no other test has.
func newPrefix() string { return fmt.Sprintf("test %d/", prefixes.Add(1)) }

// open opens a store; it is closed at the end of the test.
func open(t testing.TB, c etcdstore.Config) *etcdstore.Store {
	t.Helper()
	s, err := etcdstore.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// openShared opens a store on the shared server.
func openShared(t testing.TB, prefix string) *etcdstore.Store {
	return open(t, etcdstore.Config{Endpoints: []string{shared.address(0)}, Prefix: prefix})
}

// commit writes what must be accepted.
func commit(t testing.TB, s lease.Store, writes ...lease.Write) uint64 {
	t.Helper()
	v, err := s.Commit(t.Context(), writes...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// load returns all that is under a prefix.
func load(t testing.TB, s lease.Store, prefix string) (list []lease.Entry) {
	t.Helper()
	for e, err := range s.Load(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}
