"""The scorer during training: image tower, text tower, a code for every fact, and the losses between them.

Every fact of the grammar has a code: a vector made from those of its words. For every picture, the image tower learns a
high cosine with the codes of true facts and a low one with all others. At the same time the text tower learns to map
sentences to the codes of their facts. Later both towers also learn from pairs of pictures and sentences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.english import OPPOSITE
from models.mini.dataset import lessons
from models.mini.dataset.caption import MAX_TOKENS, tokenizer
from models.mini.dataset.lessons import SIZES, STARTS, Lesson, N
from models.mini.dataset.scene import Fact
from models.mini.dataset.statements import wording

if TYPE_CHECKING:
    from open_clip import CustomTextCLIP
    from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
    from open_clip.transformer import TextTransformer

IMAGE = 128  # pixels of a side
EMBED = 512
CONFIG: dict[str, Any] = {
    "embed_dim": EMBED,
    "custom_text": True,
    "init_logit_scale": float(np.log(30)),
    "init_logit_bias": -7.0,
    "vision_cfg": {"image_size": IMAGE, "layers": [1, 1, 1, 1], "width": 32, "head_width": 64},
    "text_cfg": {
        "context_length": MAX_TOKENS,
        "vocab_size": len(tokenizer()),
        "hf_tokenizer_name": "tokenizer in this folder",
        "width": 320,
        "heads": 5,
        "layers": 2,
        "mlp_ratio": 2.0,
        "pool_type": "eos",
        "pad_id": 0,
        "eos_id": 2,
    },
}


class Codes(nn.Module):
    """A unit vector for every column of truth (lessons.py): that of an object, plus a low-rank product of the object
    with a count, colour or place."""

    def __init__(self, rank: int = 256) -> None:
        super().__init__()
        self.plain = nn.Parameter(torch.randn(SIZES["background"] + SIZES["style"] + N, EMBED))
        kinds = ("count", "attribute", "place")
        self.subject = nn.ParameterDict({k: torch.randn(N, rank) for k in kinds})
        self.value = nn.ParameterDict({k: torch.randn(SIZES[k] // N, rank) for k in kinds})
        self.mix = nn.ParameterDict({k: torch.randn(rank, EMBED) * rank**-0.5 for k in kinds})
        self.share = nn.ParameterDict({k: torch.tensor(0.7) for k in kinds})

    def forward(self) -> Tensor:
        """Shape (COLUMNS, EMBED), unit rows."""
        objects = self.plain[-N:]
        rows: list[Tensor] = [self.plain]
        for kind in self.mix:
            product = (self.subject[kind][:, None] * self.value[kind][None]) @ self.mix[kind]
            rows.append((product + self.share[kind] * objects[:, None]).flatten(0, 1))
        return F.normalize(torch.cat(rows), dim=-1)


def build() -> CustomTextCLIP:
    """An untrained scorer. Its initial values differ from open_clip's, with which it hardly learns: blocks do not
    start as the identity, and word vectors have unit scale."""
    from open_clip import CustomTextCLIP

    model = CustomTextCLIP(**{k: v for k, v in CONFIG.items() if k != "custom_text"})
    for name, parameter in model.visual.named_parameters():
        if name.endswith("bn3.weight"):
            nn.init.constant_(parameter, 0.5)
    nn.init.normal_(model.text.token_embedding.weight)
    nn.init.normal_(model.text.positional_embedding, std=0.3)
    return model


def trunk(visual: ModifiedResNet, x: Tensor) -> Tensor:
    """The image tower up to its last feature map: (B, 3, 128, 128) → (B, 1024, 4, 4)."""
    x = visual.stem(x)
    for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        x = layer(x)
    return x


def pool(attention: AttentionPool2d, x: Tensor) -> Tensor:
    """open_clip's AttentionPool2d, (B, C, 4, 4) → (B, EMBED), computed for the one query that it returns: a twelfth of
    the cost."""
    b, c = x.shape[:2]
    heads = attention.num_heads
    tokens = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + attention.positional_embedding
    query = attention.q_proj(tokens[:, 0]).view(b, heads, -1)
    keys = torch.einsum("bhd,hdc->bhc", query, attention.k_proj.weight.view(heads, -1, c))
    weights = (keys @ tokens.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1)
    seen = weights @ tokens
    value = torch.einsum("bhc,hdc->bhd", seen, attention.v_proj.weight.view(heads, -1, c)).flatten(1)
    out: Tensor = attention.c_proj(value + attention.v_proj.bias)
    return out


def fact_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Sigmoid loss on every known label, plus, for each true fact, a softmax against all false ones. `logits`, `truth`:
    (B, facts); truth < 0 is unknown."""
    known, yes, no = truth >= 0, truth == 1, truth == 0
    plain = F.binary_cross_entropy_with_logits(logits, truth.clamp(min=0), reduction="none")
    count = yes.sum().clamp(min=1)
    rivals = logits.masked_fill(~no, -30).logsumexp(1, keepdim=True)
    return (plain * known).sum() / count + 0.5 * (F.softplus(rivals - logits) * yes).sum() / count


def relation_batch(batch: list[Lesson], rng: np.random.Generator) -> tuple[Tensor, Tensor, list[list[Fact]]]:
    """Six relations per picture: pairs of place columns (B, 6, 2), their truth (B, 6), and the facts."""
    asked = [lessons.relations(one.scene, rng) for one in batch]
    places = [
        [(lessons.place(f.subject, f.value), lessons.place(f.other, OPPOSITE[f.value])) for f in row]
        for row in asked
    ]
    truth = [[lessons.relation_truth(f, one) for f in row] for row, one in zip(asked, batch, strict=True)]
    return torch.tensor(places), torch.tensor(truth), asked


def pick_statements(
    batch: list[Lesson], asked: list[list[Fact]], truth: Tensor, rng: np.random.Generator, count: int
) -> tuple[list[Fact], Tensor]:
    """`count` facts to put into sentences, some true of a picture of the batch, and their truth (B, count). `truth`:
    (B, COLUMNS)."""
    facts: list[Fact] = []
    columns: list[Tensor] = []
    alike = truth.numpy()
    places = STARTS["place"]
    while len(facts) < count:
        i = int(rng.integers(len(batch)))
        roll = rng.random()
        if roll < 0.25:
            fact = asked[i][int(rng.integers(6))]
            if fact.subject == fact.other:
                continue
            facts.append(fact)
            columns.append(torch.tensor([lessons.relation_truth(fact, one) for one in batch]))
            continue
        if roll < 0.75:
            true = np.flatnonzero(alike[i, :places] == 1)
            index = int(rng.choice(true))
            if rng.random() < 0.4:  # the same object with another colour or count
                kind = [k for k, s in STARTS.items() if s <= index][-1]
                width = SIZES[kind] // N if kind in ("count", "attribute") else 1
                index = index - (index - STARTS[kind]) % width + int(rng.integers(width))
        else:
            index = int(rng.integers(places))
        fact_or_none = lessons.fact_at(index)
        assert fact_or_none is not None
        facts.append(fact_or_none)
        columns.append(truth[:, index])
    return facts, torch.stack(columns, 1)


def code_of(facts: list[Fact], codes: Tensor) -> Tensor:
    """The codes of facts, unit rows (facts, EMBED); that of a relation is the sum of its two places."""
    rows = []
    for f in facts:
        if f.kind == "relation":
            start = STARTS["place"]
            here, there = lessons.place(f.subject, f.value), lessons.place(f.other, OPPOSITE[f.value])
            rows.append(codes[start + here] + codes[start + there])
        else:
            rows.append(codes[lessons.column(f)])
    return F.normalize(torch.stack(rows), dim=-1)


def tokens(tok: Any, texts: list[str]) -> Tensor:
    """Token ids (texts, longest), padded."""
    made = tok(texts, return_tensors="pt", padding=True, truncation=True, max_length=MAX_TOKENS)
    ids: Tensor = made.input_ids
    return ids


def say(text_tower: TextTransformer, ids: Tensor) -> Tensor:
    """The text tower on ids (B, T) of short sentences, without padding to the full length; (B, EMBED). Attention is
    causal, so that changes nothing."""
    whole = text_tower.attn_mask
    text_tower.attn_mask = whole[: ids.shape[1], : ids.shape[1]]
    out: Tensor = text_tower(ids)
    text_tower.attn_mask = whole
    return out


def statement_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Sigmoid loss over known labels, divided by the number of true ones. Both (B, statements); truth < 0 is
    unknown."""
    known, yes = truth >= 0, truth == 1
    loss = F.binary_cross_entropy_with_logits(logits, truth.clamp(min=0), reduction="none") * known
    return loss.sum() / yes.sum().clamp(min=1)


class Student(nn.Module):
    """The scorer with what only training needs: the codes, and a classifier of each cell of the last feature map."""

    def __init__(self, compiled: bool) -> None:
        super().__init__()
        self.model: CustomTextCLIP = build()
        self.codes = Codes()
        self.probe = nn.Linear(1024, sum(lessons.CELL))
        self.words = tokenizer()
        self.trunk = torch.compile(trunk) if compiled else trunk

    def cell_losses(self, last_map: Tensor, cells: Tensor) -> dict[str, Tensor]:
        """Cross entropy of object, tint, background and style of every cell. `last_map`: (B, 1024, 4, 4); `cells`: (B,
        4, 4, 4)."""
        read = self.probe(last_map.permute(0, 2, 3, 1)).float().split(lessons.CELL, -1)
        names = ("cell object", "cell tint", "cell ground", "cell style")
        return {
            name: F.cross_entropy(logits.flatten(0, 2), cells[..., i].flatten())
            for i, (name, logits) in enumerate(zip(names, read, strict=True))
        }

    def spot_losses(self, last_map: Tensor, spots: list[lessons.Spots], code: Tensor) -> dict[str, Tensor]:
        """Losses of the facts about single objects, from single cells, as if the pooling attended to one cell only. The
        image vector is a weighted mean of the vectors of cells. `code`: (COLUMNS, EMBED)."""
        pooling = self.model.visual.attnpool
        where = torch.from_numpy(np.stack([s.where for s in spots])).to(last_map.device)
        truth = torch.from_numpy(np.concatenate([s.truth for s in spots])).to(last_map.device)
        cells = last_map.flatten(2).transpose(1, 2) + pooling.positional_embedding[1:]
        cells = cells.gather(1, where[..., None].expand(-1, -1, cells.shape[-1])).flatten(0, 1)
        seen = F.normalize(pooling.c_proj(pooling.v_proj(cells)).float(), dim=-1)
        logits = self.model.logit_scale.exp() * seen @ code.T + self.model.logit_bias
        losses = {}
        for kind, start in STARTS.items():
            end = start + SIZES[kind]
            losses[f"spot {kind}"] = fact_loss(logits[:, start:end], truth[:, start:end])
        return losses

    def collage_losses(self, x: Tensor, cells: Tensor, spots: list[lessons.Spots]) -> dict[str, Tensor]:
        """Losses on collages, which teach single cells. `x`: (B, 3, 128, 128); `cells`: (B, 4, 4, 4)."""
        last_map = self.trunk(self.model.visual, x)
        return {**self.cell_losses(last_map, cells), **self.spot_losses(last_map, spots, self.codes())}

    def scene_losses(
        self, x: Tensor, batch: list[Lesson], rng: np.random.Generator, count: int, joint: float
    ) -> dict[str, Tensor]:
        """Losses on scenes. `x`: (B, 3, 128, 128); `count`: number of sentences; `joint`: weight of the loss between
        pictures and sentences, which also trains the image tower once it is 1."""
        device = x.device
        truth = torch.from_numpy(np.stack([one.truth for one in batch]))
        cells = torch.from_numpy(np.stack([one.cells for one in batch])).to(device)
        places, relation_truth, asked = relation_batch(batch, rng)
        facts, statement_truth = pick_statements(batch, asked, truth, rng, count)
        truth = truth.to(device)
        last_map = self.trunk(self.model.visual, x)
        losses = {f"scene {name}": v for name, v in self.cell_losses(last_map, cells).items()}
        image = F.normalize(pool(self.model.visual.attnpool, last_map).float(), dim=-1)
        ids = tokens(self.words, [wording(f, rng) for f in facts]).to(device)
        text = F.normalize(say(self.model.text, ids).float(), dim=-1)
        code = self.codes()
        spots = [lessons.spots(one, rng) for one in batch]
        losses |= {f"scene {name}": 0.5 * v for name, v in self.spot_losses(last_map, spots, code).items()}
        scale, bias = self.model.logit_scale.exp(), self.model.logit_bias
        logits = scale * image @ code.T + bias
        for kind, start in STARTS.items():
            end = start + SIZES[kind]
            losses[kind] = fact_loss(logits[:, start:end], truth[:, start:end])
        ends = code[STARTS["place"] :]
        pairs = F.normalize(ends[places[..., 0].to(device)] + ends[places[..., 1].to(device)], dim=-1)
        pair_logits = scale * torch.einsum("bd,bkd->bk", image, pairs) + bias
        losses["relation"] = statement_loss(pair_logits, relation_truth.to(device))
        losses["words"] = 4 * (1 - (text * code_of(facts, code.detach())).sum(-1)).mean()
        towards = image if joint == 1 else image.detach()
        fit = statement_loss(scale * towards @ text.T + bias, statement_truth.to(device))
        losses["sentences"] = joint * fit
        return losses
