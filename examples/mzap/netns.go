// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// wiring is a topology for namespaces: a node per router and host, a bridge per
// link. Nothing routes multicast there, so only topologies will do in which the
// boundary routers of each zone share a link.
type wiring struct {
	links []string
	nodes []node
}

// node runs this program with some arguments, on some links. In the arguments,
// {link} is the name of its interface there.
type node struct {
	name  string
	links []string
	args  string
}

const (
	labX = "239.130.0.0/16"
	// labSpeed makes an interval of ten minutes one of two seconds.
	labSpeed = 1.0 / 300
)

var wirings = map[string]wiring{
	"figure3a": {
		links: []string{"zone2", "zone1", "outside"},
		nodes: []node{
			{"A", []string{"zone2", "zone1"}, "announce -inside {zone2} -scope 239.2.0.0/16@{zone1} -name en=Two"},
			{"P", []string{"zone1", "outside"}, "announce -inside {zone1} -scope 239.1.0.0/16@{outside} -name en=One"},
			{"h", []string{"zone2"}, "listen -i {zone2} -nim-hold 18200ms"},
		},
	},
	"figure5": {
		links: []string{"zone2", "zone3", "zone4", "zone1", "north"},
		nodes: []node{
			{"A", []string{"zone2", "north"}, "announce -inside {zone2} -scope " + labX + "@{north} -name en=Leaky"},
			{"B", []string{"zone2", "zone3"}, "announce -inside {zone2} -local {zone3}"},
			{"C", []string{"zone3", "zone4"}, "announce -inside {zone3} -local {zone4}"},
			{"D", []string{"zone4", "zone1"}, "announce -inside {zone4} -local {zone1}"},
			{"E", []string{"zone2", "zone1"}, "announce -inside {zone2} -scope " + labX + "@{zone1} -name en=Leaky"},
			{"h", []string{"zone2"}, "listen -i {zone2}"},
		},
	},
}

// namespaces runs topologies on real sockets, about half a minute each.
func namespaces(ctx context.Context, wanted []string, out io.Writer) error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("network namespaces need Linux and root")
	}
	if len(wanted) == 0 {
		wanted = []string{"figure3a", "figure5"}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range wanted {
		w, ok := wirings[name]
		if !ok {
			return fmt.Errorf("scenario %q does without namespaces only", name)
		}
		fmt.Fprintln(out, "==", name, "in network namespaces, 300 times as fast as life")
		if err := w.run(ctx, self, out); err != nil {
			return err
		}
	}
	return nil
}

// run builds the namespaces, runs the nodes for a while with this program, and
// takes all down.
func (w wiring) run(ctx context.Context, program string, out io.Writer) error {
	prefix := fmt.Sprintf("mzap%d-", os.Getpid())
	hub := prefix + "hub"
	defer func() {
		for _, n := range w.nodes {
			ip("netns", "delete", prefix+n.name)
		}
		ip("netns", "delete", hub)
	}()
	if err := w.wire(prefix, hub); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	shared := &syncWriter{w: out}
	var wg sync.WaitGroup
	for _, n := range w.nodes {
		args := n.args
		for _, l := range n.links {
			args = strings.ReplaceAll(args, "{"+l+"}", l)
		}
		if strings.HasPrefix(args, "announce") {
			args += fmt.Sprintf(" -times %v", labSpeed)
		}
		cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", prefix + n.name, program}, strings.Fields(args)...)...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 3 * time.Second
		output, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		cmd.Stderr = cmd.Stdout
		if err := cmd.Start(); err != nil {
			return err
		}
		wg.Go(func() {
			for s := bufio.NewScanner(output); s.Scan(); {
				fmt.Fprintf(shared, "%s: %s\n", n.name, s.Text())
			}
			cmd.Wait()
		})
	}
	wg.Wait()
	return nil
}

// wire makes the namespaces: the links are bridges in a namespace of their own.
func (w wiring) wire(prefix, hub string) error {
	steps := [][]string{{"netns", "add", hub}}
	for i := range w.links {
		steps = append(steps,
			[]string{"-n", hub, "link", "add", "br" + fmt.Sprint(i), "type", "bridge", "mcast_snooping", "0"},
			[]string{"-n", hub, "link", "set", "br" + fmt.Sprint(i), "up"})
	}
	used := map[string]int{}
	for _, n := range w.nodes {
		steps = append(steps, []string{"netns", "add", prefix + n.name}, []string{"-n", prefix + n.name, "link", "set", "lo", "up"})
		for _, l := range n.links {
			i := slices.Index(w.links, l)
			used[l]++
			port := fmt.Sprintf("p%d.%d", i, used[l])
			steps = append(steps,
				[]string{"-n", hub, "link", "add", port, "type", "veth", "peer", "name", l, "netns", prefix + n.name},
				[]string{"-n", hub, "link", "set", port, "master", "br" + fmt.Sprint(i), "up"},
				[]string{"-n", prefix + n.name, "addr", "add", fmt.Sprintf("10.%d.0.%d/16", i+1, used[l]), "dev", l},
				[]string{"-n", prefix + n.name, "link", "set", l, "up"})
		}
	}
	for _, s := range steps {
		if err := ip(s...); err != nil {
			return err
		}
	}
	return nil
}

// syncWriter lets several goroutines write whole lines.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// ip runs the ip command of iproute2.
func ip(args ...string) error {
	if b, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(b)))
	}
	return nil
}
