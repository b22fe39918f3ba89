//go:build tools

package lab

import (
	_ "go.etcd.io/etcd/server/v3"
)
