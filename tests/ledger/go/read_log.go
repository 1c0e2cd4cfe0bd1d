// Reads a published log with the Go project's own packages, which know nothing of this one:
// opens the checkpoint, proves and checks every record named, and the log's growth from every size named.
//
//	read_log DIR VKEY OLD_SIZE:ROOT... INDEX...
//	read_log sign < KEY    signs a text with a secret key that ours wrote
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tiles struct{ dir string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(w []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, one := range w {
		path := strings.Replace(one.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func entry(dir string, index, size int64) []byte {
	bundle := tlog.Tile{H: 8, L: -1, N: index / 256, W: 256}
	if rest := size - bundle.N*256; rest < 256 {
		bundle.W = int(rest)
	}
	path := strings.Replace(bundle.Path(), "tile/8/data/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(dir, path))
	check(err)
	for at := int64(0); ; at++ {
		length := int(binary.BigEndian.Uint16(data))
		if at == index%256 {
			return data[2 : 2+length]
		}
		data = data[2+length:]
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sign() {
	key, err := io.ReadAll(os.Stdin)
	check(err)
	signer, err := note.NewSigner(strings.TrimSpace(string(key)))
	check(err)
	signed, err := note.Sign(&note.Note{Text: "signed by Go\n"}, signer)
	check(err)
	os.Stdout.Write(signed)
}

func main() {
	if os.Args[1] == "sign" {
		sign()
		return
	}
	dir, vkey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(vkey)
	check(err)
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{dir})
	for _, argument := range os.Args[3:] {
		if old, oldRoot, pair := strings.Cut(argument, ":"); pair {
			before, err := strconv.ParseInt(old, 10, 64)
			check(err)
			wanted, err := tlog.ParseHash(oldRoot)
			check(err)
			proof, err := tlog.ProveTree(size, before, hashes)
			check(err)
			check(tlog.CheckTree(proof, size, root, before, wanted))
			continue
		}
		index, err := strconv.ParseInt(argument, 10, 64)
		check(err)
		data := entry(dir, index, size)
		proof, err := tlog.ProveRecord(size, index, hashes)
		check(err)
		check(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(data)))
		fmt.Println(index, base64.StdEncoding.EncodeToString(data))
	}
	fmt.Println(lines[0], size, len(opened.Sigs), len(opened.UnverifiedSigs))
}
