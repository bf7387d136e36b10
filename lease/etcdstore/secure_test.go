// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/etcdstore"
)

// TestSecure is a server that wants TLS and a password, and lets a user have
// one prefix and no other.
func TestSecure(t *testing.T) {
	t.Parallel()
	c, err := startCluster(t.TempDir(), 1, func(c *embed.Config) {
		c.ClientAutoTLS = true
		c.ListenClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
		c.AdvertiseClientUrls = c.ListenClientUrls
		c.BcryptCost = 4
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	certificate, err := os.ReadFile(c[0].Config().ClientTLSInfo.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted := &tls.Config{RootCAs: x509.NewCertPool()}
	trusted.RootCAs.AppendCertsFromPEM(certificate)
	config := etcdstore.Config{
		Endpoints: []string{"https://" + c.address(0)}, TLS: trusted, Prefix: "ours/", RequestTimeout: 10 * time.Second,
	}
	demandPassword(t, c, trusted)

	config.Username, config.Password = "server", "secret"
	s := open(t, config)
	v := commit(t, s, lease.Write{Key: "k", Value: []byte("x")})
	if list := load(t, s, ""); len(list) != 1 || list[0].Version != v {
		t.Errorf("%v, want what was written as version %d", list, v)
	}

	other := config
	other.Prefix = "theirs/"
	if _, err := open(t, other).Commit(t.Context(), lease.Write{Key: "k", Value: []byte("x")}); !errors.Is(err, lease.ErrStore) {
		t.Errorf("under another prefix: %v, want ErrStore", err)
	}
	other = config
	other.Password = "guessed"
	if _, err := etcdstore.Open(other); !errors.Is(err, lease.ErrStore) {
		t.Errorf("with another password: %v, want ErrStore", err)
	}
	other = config
	other.TLS = &tls.Config{}
	other.RequestTimeout = time.Second
	if _, err := etcdstore.Open(other); !errors.Is(err, lease.ErrStore) {
		t.Errorf("at a server that cannot be trusted: %v, want ErrStore", err)
	}
}

// demandPassword makes a user who may read and write "ours/", and switches
// authentication on.
func demandPassword(t *testing.T, c cluster, trusted *tls.Config) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + c.address(0)}, TLS: trusted})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	do := func(step func(context.Context) error) {
		if err == nil {
			err = step(t.Context())
		}
	}
	for _, name := range []string{"root", "server"} {
		do(func(ctx context.Context) error { _, err := client.RoleAdd(ctx, name); return err })
		do(func(ctx context.Context) error { _, err := client.UserAdd(ctx, name, "secret"); return err })
		do(func(ctx context.Context) error { _, err := client.UserGrantRole(ctx, name, name); return err })
	}
	do(func(ctx context.Context) error {
		_, err := client.RoleGrantPermission(ctx, "server", "ours/", clientv3.GetPrefixRangeEnd("ours/"), clientv3.PermissionType(clientv3.PermReadWrite))
		return err
	})
	do(func(ctx context.Context) error { _, err := client.AuthEnable(ctx); return err })
	if err != nil {
		t.Fatal(err)
	}
}
