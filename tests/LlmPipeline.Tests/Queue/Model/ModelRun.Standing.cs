using System.Threading.Channels;

namespace LlmPipeline;

/// <summary>Claims that stand, and what they are answered.</summary>
internal sealed partial class ModelRun
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly List<(int Partition, StandingClaim Claim)> _stood = [];
    private readonly Channel<(QueuePartition Partition, HandedJob Job)> _heard = Channel.CreateUnbounded<(QueuePartition, HandedJob)>();

    private void Hear(QueuePartition partition, HandedJob job) => Assert.True(_heard.Writer.TryWrite((partition, job)));

    /// <summary>Adds to the answers what standing claims were given: as the model says, and as it was heard.</summary>
    private async Task<(string Model, string Store)> HearWhatIsGivenAsync(string model, string store)
    {
        var heard = new List<ClaimedJob>();
        foreach (var _ in _model.SelectMany(partition => partition.Given))
        {
            var (partition, job) = await _heard.Reader.ReadAsync().AsTask().WaitAsync(Patience);
            heard.Add(Assert.Single(partition.Read(job).Jobs));
        }

        _claims.AddRange(heard);
        // Each partition has a channel of its own, so only what one of them tells has an order.
        model += Text(_model.SelectMany((partition, at) => partition.Given.Select(job => $"{at} {job.Id} {job.Token} {job.Attempts} {job.Lost} {partition.IsAsked(job)}")));
        store += Text(heard.OrderBy(job => job.Partition).Select(job => $"{job.Partition} {job.Job.Id} {job.Token} {job.Attempts} {job.Lost} {job.CancelAsked}"));
        for (var p = 0; p < Partitions; p++)
        {
            // What is given by two calls may be given in the same millisecond.
            if (_model[p].Given.Count > 1)
                await QueueSnapshot.SpreadAsync(_queue.Database, _queue.Partitions[p].Keys, _model[p]);
            _model[p].Given.Clear();
        }

        return (model, store);
    }

    private async Task<(string Model, string Store)> WithdrawAsync((int Partition, StandingClaim Claim) stood)
    {
        var (at, claim) = stood;
        var withdrawn = await _queue.Partitions[at].WithdrawAsync(claim);
        _claims.AddRange(withdrawn.Jobs);
        return (Text(at, InOrder(_model[at].Withdraw(claim.Token))), Text(InOrder(withdrawn.Jobs)));
    }

    // What a claim took is looked for in steps, which have no order.
    private static IEnumerable<ModelJob> InOrder(IEnumerable<ModelJob> jobs) => jobs.OrderBy(job => job.Id, StringComparer.Ordinal);

    private static IEnumerable<ClaimedJob> InOrder(IEnumerable<ClaimedJob> jobs) => jobs.OrderBy(job => job.Job.Id, StringComparer.Ordinal);

    private string Text(int at, IEnumerable<ModelJob> jobs) => Text(jobs.Select(job => $"{job.Id} {job.Attempts} {job.Lost} {_model[at].IsAsked(job)}"));

    private static string Text(IEnumerable<ClaimedJob> jobs) => Text(jobs.Select(job => $"{job.Job.Id} {job.Attempts} {job.Lost} {job.CancelAsked}"));
}
