"""paho's MQTT client, made quick where an ingest spends its time."""

from __future__ import annotations

from collections.abc import Sequence

import paho.mqtt.client as paho

__all__ = ["ReadAheadClient"]


class ReadAheadClient(paho.Client):
    """A paho client that reads ahead, takes readings in bulk and acknowledges in bulk.

    paho asks the socket for every packet in three or more small reads, passes it through some ten
    calls, and writes every acknowledgement by itself: most of the work of an ingest. Here paho
    reads from memory, and messages that lie there whole are taken past it; connecting, pings,
    subscriptions and all else stay with paho.
    """

    _ahead = b""
    _place = 0

    @property
    def has_unread(self) -> bool:
        """Whether bytes were taken from the socket that nobody has used yet."""
        return self._place < len(self._ahead)

    def forget_unread(self) -> None:
        """Drop what was read from a connection that is gone."""
        self._ahead, self._place = b"", 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.has_unread:
            self._ahead, self._place = super()._sock_recv(1 << 18), 0
        taken = self._ahead[self._place : self._place + bufsize]
        self._place += len(taken)
        return taken

    def publications(self, most: int) -> list[tuple[bytes, bytes, bool, int]]:
        """Take the next PUBLISH packets (MQTT 3.1.1, 3.3) of QoS 0 and 1 that are here whole.

        Returns topic, payload, whether it was retained, and the packet's number (0 for QoS 0).
        Ends before the first packet of any other kind, which is paho's.
        """
        found: list[tuple[bytes, bytes, bool, int]] = []
        if self._in_packet["command"] != 0:
            return found  # paho is in the middle of a packet
        data, place = self._ahead, self._place
        while len(found) < most and place + 2 <= len(data):
            head = data[place]
            if head >> 4 != 3 or head & 4:
                break
            # length of what follows, 7 bits to a byte, the lowest first
            length, shift, body = 0, 0, place + 1
            while body < len(data) and shift < 28:
                byte = data[body]
                body += 1
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            end = body + length
            if byte >= 128 or end > len(data):
                break
            topic_end = body + 2 + (data[body] << 8 | data[body + 1]) if length >= 2 else end + 1
            start = topic_end + 2 if head & 2 else topic_end
            if start > end:
                break
            packet = data[topic_end] << 8 | data[topic_end + 1] if head & 2 else 0
            found.append((data[body + 2 : topic_end], data[start:end], bool(head & 1), packet))
            place = end
        self._place = place
        return found

    def acknowledge(self, packets: Sequence[int]) -> None:
        """Send PUBACK (MQTT 3.1.1, 3.4) for each of the packets."""
        joined = b"".join(b"\x40\x02" + packet.to_bytes(2, "big") for packet in packets)
        self._packet_queue(0x40, joined, 0, 0)
