namespace LlmPipeline;

/// <summary>Claims that stand.</summary>
internal sealed partial class ModelPartition
{
    /// <summary>What is listened for: the claims of one worker.</summary>
    public const string Ear = "0a";

    private const string Listener = "worker-0";

    private readonly List<(string Token, string Worker)> _standing = [];

    public IReadOnlyList<(string Token, string Worker)> Standing => _standing;

    /// <summary>What was given to claims that stood, since it was last taken from here.</summary>
    public List<ModelJob> Given { get; } = [];

    public static StandingClaim Claim(string token, string worker) => new(token, worker, worker == Listener ? Ear : "0b", null);

    /// <summary>What a claim was answered; nothing when it still stood.</summary>
    public List<ModelJob> Withdraw(string token) => _standing.RemoveAll(claim => claim.Token == token) > 0 ? [] : HeldBy(token);

    private bool Give(ModelJob job)
    {
        if (_paused || IsAsked(job))
            return false;
        while (_standing is [var (token, worker), ..])
        {
            _standing.RemoveAt(0);
            if (worker != Listener)
                continue;
            (job.Token, job.Worker, job.Leased) = (token, worker, true);
            Hold([job.Id]);
            _gone.Remove(worker);
            Given.Add(job);
            return true;
        }

        return false;
    }
}
