"""Write the embedding of each utterance: what the last layer of a network gets of it.

An embedding is what the linear layer of the logits gets; of a network that speaks frame by frame
its mean over the utterance's speech frames. Writes embeddings.npy, (utterances, width) in float32,
and embeddings.tsv, whose rows are the same utterances: the columns of the manifest, the class,
what the network says (predicted) and its posteriors. tensors.tsv and projector_config.pbtxt let
TensorBoard show both: tensorboard --logdir OUTPUT, and there Projector. The part is dealt as by
langid evaluate; part=all embeds a store that was not trained on. report.html has a map of them.

Examples:
  langid embed checkpoint=gru/checkpoints/best.ckpt store=cv.h5 output=embeddings
  langid embed checkpoint=BEST.ckpt store=other.h5 output=embeddings part=all
"""

from omegaconf import DictConfig

from langid.commands.asked import asked_of
from langid.commands.paths import path_of
from langid.exclusive import exclusive_folder
from langid.terminal import print_named


def run(config: DictConfig) -> None:
    """Embed the utterances of a part and write what there is of them."""
    from langid.evaluation.embedding_files import write_embeddings

    output = path_of(config.output)
    asked = asked_of(config)
    with exclusive_folder(output):
        predictions = asked.predictions(config.part, config.heard_s, None)
        count, width = write_embeddings(predictions, asked.store, output)
    print_named(embeddings=f"{output / 'embeddings.npy'}  ({count:,} utterances, {width} numbers)")
    print_named(table=output / "embeddings.tsv", projector=output / "tensors.tsv")
