"""Other servers with the same idea, measured in one run beside the hub: `python -m bench.graded.peers`.

Each is one file with a class that is a Peer (peer.py); a new one is added here by a line.
"""

from bench.graded.peers.codemode import CodeMode
from bench.graded.peers.gway import Gway
from bench.graded.peers.hub import Hub
from bench.graded.peers.peer import Peer

PEERS: tuple[Peer, ...] = (Hub(), Gway(), CodeMode())
"""All that are compared; the first is what the others are held against."""
