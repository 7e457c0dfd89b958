// Go's own network poller: `talk serve PORT` serves HTTP at PORT, UDP at PORT + 1 and a silent listener at PORT + 2;
// `talk ask LITERAL PORT OWN` asks, and prints what was right.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func serve(port int) {
	udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port+1))
	must(err)
	go func() {
		room := make([]byte, 65536)
		for {
			n, peer, err := udp.ReadFrom(room)
			must(err)
			host, _, _ := net.SplitHostPort(peer.String())
			udp.WriteTo([]byte(fmt.Sprintf("%s from %s", room[:n], host)), peer)
		}
	}()
	silent, err := net.Listen("tcp", fmt.Sprintf(":%d", port+2))
	must(err)
	go func() {
		for {
			c, err := silent.Accept()
			must(err)
			go io.Copy(io.Discard, c)
		}
	}()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		io.Copy(hash, r.Body)
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%x from %s", hash.Sum(nil), host)
	})
	must(http.ListenAndServe(fmt.Sprintf(":%d", port), nil))
}

func ask(literal string, port int, own string) {
	var fetched, datagrams int32
	var group sync.WaitGroup
	for n := 0; n < 50; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			body := make([]byte, 50000)
			rand.Read(body)
			answer, err := http.Post(fmt.Sprintf("http://%s:%d/", literal, port), "application/octet-stream", bytes.NewReader(body))
			if err != nil {
				fmt.Println(err)
				return
			}
			said, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if string(said) == fmt.Sprintf("%x from %s", sha256.Sum256(body), own) {
				atomic.AddInt32(&fetched, 1)
			}
		}()
	}
	group.Wait()
	udp, err := net.Dial("udp", fmt.Sprintf("%s:%d", literal, port+1))
	must(err)
	udp.SetDeadline(time.Now().Add(20 * time.Second))
	room := make([]byte, 65536)
	for n := 0; n < 20; n++ {
		fmt.Fprintf(udp, "token %d", n)
		length, err := udp.Read(room)
		must(err)
		if string(room[:length]) == fmt.Sprintf("token %d from %s", n, own) {
			datagrams++
		}
	}
	silent, err := net.Dial("tcp", fmt.Sprintf("%s:%d", literal, port+2))
	must(err)
	silent.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, err = silent.Read(room)
	var timeout net.Error
	read := errors.As(err, &timeout) && timeout.Timeout()
	silent.SetReadDeadline(time.Time{})
	go func() { time.Sleep(200 * time.Millisecond); silent.Close() }()
	_, err = silent.Read(room) // ended by another goroutine's Close
	fmt.Printf("%d fetched, %d datagrams, deadline %v, closed %v\n", fetched, datagrams, read, errors.Is(err, net.ErrClosed))
}

func main() {
	port, _ := strconv.Atoi(os.Args[len(os.Args)-1])
	if os.Args[1] == "serve" {
		serve(port)
	}
	port, _ = strconv.Atoi(os.Args[3])
	ask(os.Args[2], port, os.Args[4])
}
