using System.Runtime.InteropServices;

namespace LlmPipeline;

/// <summary>
/// Which rows of a run ask the same as others: of each such group one is called, and the others get a copy of its line. About 50 bytes a row while the file is
/// read, and 4 from then on.
/// </summary>
internal sealed class RunDuplicates
{
    private readonly int[] _leaders;

    private RunDuplicates(int[] leaders) => _leaders = leaders;

    /// <param name="plan">The run.</param>
    /// <param name="stateOf">What there is of a row already: one with a completion leads, so that nothing is paid again.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="PromptFunctionException">A row cannot be rendered.</exception>
    public static async Task<RunDuplicates> FindAsync(RunPlan plan, Func<int, RowState> stateOf, CancellationToken cancellationToken)
    {
        var (leaders, first, answered) = (new int[plan.Rows + 1], new Dictionary<UInt128, int>(plan.Rows), new Dictionary<int, int>());
        var hash = new RequestHash(plan);
        await foreach (var row in plan.Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            ref var leader = ref CollectionsMarshal.GetValueRefOrAddDefault(first, await hash.OfAsync(row, cancellationToken).ConfigureAwait(false), out var isKnown);
            if (!isKnown)
                leader = row.Number;
            leaders[row.Number] = leader;
            // A completion leads before an error, and an error, unless it is to run again, before a row that has nothing.
            if (leader != row.Number && Rank(row.Number) > Rank(answered.GetValueOrDefault(leader, leader)))
                answered[leader] = row.Number;
        }

        if (answered.Count > 0)
        {
            for (var row = 1; row < leaders.Length; row++)
                leaders[row] = answered.GetValueOrDefault(leaders[row], leaders[row]);
        }

        return new RunDuplicates(leaders);

        int Rank(int row) => stateOf(row) switch { RowState.Completed => 2, RowState.Failed => 1, _ => 0 };
    }

    /// <summary>The row whose answer a row gets; its own number when it is called itself.</summary>
    public int LeaderOf(int row) => _leaders[row];

    /// <summary>Whether a row is one that others follow, or alone.</summary>
    public bool Leads(int row) => _leaders[row] == row;

    /// <summary>How many of the wanted rows are copies of others.</summary>
    public int Followers(Func<int, bool> isWanted) => Enumerable.Range(1, _leaders.Length - 1).Count(row => !Leads(row) && isWanted(row));
}
