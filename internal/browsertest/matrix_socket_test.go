package browsertest

import (
	"bufio"
	"crypto/sha1" // what RFC 6455 section 4.2.2 answers a handshake with
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
)

// upgrade accepts a WebSocket handshake and returns the connection, or nil if
// the browser has gone.
func upgrade(w http.ResponseWriter, r *http.Request) net.Conn {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if buffered.Flush() != nil {
		conn.Close()
		return nil
	}
	return conn
}

// echo sends the first short text of a socket back, with words before it.
func echo(conn net.Conn, words string) error {
	in := bufio.NewReader(conn)
	var head [6]byte // fin and opcode, masked length, mask
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return fmt.Errorf("reading a frame: %w", err)
	}
	n := int(head[1] & 0x7f)
	if head[0] != 0x81 || head[1]&0x80 == 0 || n > 100 {
		return fmt.Errorf("not a short masked text: % x", head)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(in, text); err != nil {
		return fmt.Errorf("reading a frame: %w", err)
	}
	for i := range text {
		text[i] ^= head[2+i%4]
	}
	answer := words + string(text)
	_, err := conn.Write(append([]byte{0x81, byte(len(answer))}, answer...))
	return err
}
