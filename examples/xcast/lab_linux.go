// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
)

// A topology is figure 1 made of network namespaces, named by a prefix that
// only this run uses, and veth pairs. Each end of a pair is called after the
// node at its other end.
type topology struct {
	prefix string
	v6     bool
	nodes  map[string]*xcasttest.Node // for their paths
	made   []string                   // namespaces
}

// namespaceLab builds the topology, runs routers and receivers in it, sends,
// and takes everything down again.
func namespaceLab(ctx context.Context, v6 bool, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, nodes, err := xcasttest.Figure1(xcast.Experimental())
	if err != nil {
		return err
	}
	t := &topology{prefix: fmt.Sprintf("xcast%d-", os.Getpid()), v6: v6, nodes: nodes}
	defer t.remove()
	if err := t.build(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "RFC 5058 figure 1 in network namespaces; every router speaks Xcast")
	withXcast, err := t.send(ctx, false)
	if err != nil {
		return fmt.Errorf("with Xcast: %w", err)
	}
	withUnicast, err := t.send(ctx, true)
	if err != nil {
		return fmt.Errorf("with unicast: %w", err)
	}
	printTraffic(out, withXcast, withUnicast)
	return nil
}

// address returns that of a node on a link of figure 1.
func (t *topology) address(link int, name string) netip.Addr {
	end := byte(1 + slices.Index(xcasttest.Figure1Links[link][:], name))
	if t.v6 {
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 5: byte(link + 1), 15: end})
	}
	return netip.AddrFrom4([4]byte{198, 18, byte(link + 1), end})
}

// linkOf returns the link between two nodes, or the only link of a host if b is
// empty.
func linkOf(a, b string) int {
	return slices.IndexFunc(xcasttest.Figure1Links, func(ends [2]string) bool {
		return ends[0] == a && (b == "" || ends[1] == b) || ends[1] == a && (b == "" || ends[0] == b)
	})
}

func (t *topology) bits() int {
	if t.v6 {
		return 64
	}
	return 24
}

// build makes namespaces, links, addresses and routes.
func (t *topology) build(ctx context.Context) error {
	var links strings.Builder
	for _, ends := range xcasttest.Figure1Links {
		for _, name := range ends {
			if ns := t.prefix + name; !slices.Contains(t.made, ns) {
				if err := ip(ctx, "", "netns", "add", ns); err != nil {
					return err
				}
				t.made = append(t.made, ns)
				if err := ip(ctx, "", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0"); err != nil {
					return err
				}
			}
		}
		a, b := ends[0], ends[1]
		fmt.Fprintf(&links, "link add name %s netns %s type veth peer name %s netns %s\n", b, t.prefix+a, a, t.prefix+b)
	}
	if err := ip(ctx, links.String(), "-batch", "-"); err != nil {
		return err
	}
	for name := range t.nodes {
		if err := ip(ctx, t.setup(name), "-n", t.prefix+name, "-batch", "-"); err != nil {
			return err
		}
	}
	return nil
}

// setup returns the ip commands for the namespace of one node.
func (t *topology) setup(name string) string {
	var b strings.Builder
	fmt.Fprintln(&b, "link set lo up")
	for i, ends := range xcasttest.Figure1Links {
		if !slices.Contains(ends[:], name) {
			continue
		}
		dev := ends[0]
		if dev == name {
			dev = ends[1]
		}
		option := ""
		if t.v6 {
			option = "nodad"
		}
		fmt.Fprintf(&b, "link set %s up\naddr add %v/%d dev %s %s\n", dev, t.address(i, name), t.bits(), dev, option)
	}
	for _, host := range append([]string{labSender}, labReceivers...) {
		path := t.nodes[name].Path(t.nodes[host].Addr4)
		if len(path) < 3 { // itself, or on a link of its own
			continue
		}
		next := path[1].Name
		subnet := netip.PrefixFrom(t.address(linkOf(host, ""), host), t.bits()).Masked()
		fmt.Fprintf(&b, "route add %v via %v dev %s\n", subnet, t.address(linkOf(name, next), next), next)
	}
	return b.String()
}

// remove takes the namespaces away, and with them everything in them.
func (t *topology) remove() {
	for _, ns := range t.made {
		_ = ip(context.Background(), "", "netns", "del", ns)
	}
}

// ip runs the ip command.
func ip(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// A process is this program, run in a namespace.
type process struct {
	name  string
	cmd   *exec.Cmd
	lines chan string
}

// start runs a command of this program in a node's namespace and waits for its
// first line.
func (t *topology) start(ctx context.Context, node string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: node + " " + args[0], lines: make(chan string, 100)}
	p.cmd = exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", t.prefix + node, self}, args...)...)
	p.cmd.Env = append(os.Environ(), runMain+"=1")
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	var problems bytes.Buffer
	p.cmd.Stderr = &problems
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
	}()
	if _, err := p.line(ctx); err != nil {
		_ = p.cmd.Wait()
		return nil, fmt.Errorf("%s: %w: %s", p.name, err, problems.String())
	}
	return p, nil
}

// runMain is the environment variable that makes a test binary run main.
const runMain = "XCAST_EXAMPLE_RUN_MAIN"

// line waits for the next line of output.
func (p *process) line(ctx context.Context) (string, error) {
	select {
	case s, ok := <-p.lines:
		if !ok {
			return "", errors.New("ended early")
		}
		return s, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// stop ends processes and returns the last line that each said since the last
// call of line.
func stop(processes []*process) map[*process]string {
	for _, p := range processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	last := map[*process]string{}
	for _, p := range processes {
		for s := range p.lines {
			last[p] = s
		}
		_ = p.cmd.Wait()
	}
	return last
}

// send runs one experiment and returns the traffic of each link.
func (t *topology) send(ctx context.Context, unicast bool) (result []traffic, err error) {
	var running []*process
	defer func() { stop(running) }()
	begin := func(node string, args ...string) *process {
		if err != nil {
			return nil
		}
		var p *process
		if p, err = t.start(ctx, node, args...); err == nil {
			running = append(running, p)
		}
		return p
	}
	var watchers, receivers []*process
	for _, ends := range xcasttest.Figure1Links {
		watchers = append(watchers, begin(ends[0], "watch", "-dev", ends[1], "-text", labMessage))
	}
	for name := range t.nodes {
		if strings.HasPrefix(name, "R") {
			// Only R1 takes what came as link-layer multicast: from A.
			begin(name, "router", "-neighbours", t.speakers(name), fmt.Sprintf("-multicast=%v", name == "R1"))
		}
	}
	args := []string{"send", "-text", labMessage, "-dev", "R1", fmt.Sprintf("-unicast=%v", unicast),
		"-from", netip.AddrPortFrom(t.address(linkOf(labSender, ""), labSender), 4000).String()}
	for _, name := range labReceivers {
		to := netip.AddrPortFrom(t.address(linkOf(name, ""), name), labPort).String()
		receivers = append(receivers, begin(name, "receive", "-on", to))
		args = append(args, to)
	}
	begin(labSender, args...)
	if err != nil {
		return nil, err
	}
	for _, p := range receivers {
		wait, cancel := context.WithTimeout(ctx, 10*time.Second)
		got, err := p.line(wait)
		cancel()
		if err != nil || !strings.HasPrefix(got, fmt.Sprintf("%q", labMessage)) {
			return nil, fmt.Errorf("%w: %s: %q, %v", errNotReceived, p.name, got, err)
		}
	}
	last := stop(running)
	for _, p := range receivers {
		if more := last[p]; more != "" {
			return nil, fmt.Errorf("%s: a second copy: %s", p.name, more)
		}
	}
	for _, p := range watchers {
		var c traffic
		if _, err := fmt.Sscan(last[p], &c.packets, &c.octets); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		result = append(result, c)
	}
	return result, nil
}

// speakers returns the addresses of a node's neighbours that are routers, all
// of which speak Xcast.
func (t *topology) speakers(name string) string {
	var list []string
	for i, ends := range xcasttest.Figure1Links {
		for k := range ends {
			if other := ends[1-k]; ends[k] == name && strings.HasPrefix(other, "R") {
				list = append(list, t.address(i, other).String())
			}
		}
	}
	return strings.Join(list, ",")
}

// watch captures an interface until it is told to stop, and then prints how
// many packets with a certain text crossed it, in both directions, and their
// octets.
func watch(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	dev := flags.String("dev", "", "`interface`")
	text := flags.String("text", "", "what the packets hold")
	if err := flags.Parse(args); err != nil {
		return err
	}
	index, err := interfaceIndex(*dev)
	if err != nil {
		return err
	}
	fd, err := openPacketSocket()
	if err != nil {
		return err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: networkOrder(syscall.ETH_P_ALL), Ifindex: int(index)}); err != nil {
		return err
	}
	fmt.Fprintln(out, "watching", *dev)
	var c traffic
	for buf := make([]byte, 65536); ; {
		n, from, err := syscall.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, syscall.EAGAIN) && ctx.Err() != nil: // nothing waits to be counted
			fmt.Fprintln(out, c.packets, c.octets)
			return nil
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return err
		}
		if ll, ok := from.(*syscall.SockaddrLinklayer); ok && ll.Ifindex == int(index) && n > 0 && bytes.HasSuffix(buf[:n], []byte(*text)) {
			c.packets, c.octets = c.packets+1, c.octets+n
		}
	}
}
