namespace LlmPipeline;

/// <summary>The rows of the outcome table.</summary>
internal enum OutcomeKind
{
    /// <summary>A completion.</summary>
    Completion,

    /// <summary>It may go better next time; an attempt is charged.</summary>
    Transient,

    /// <summary>The provider asks to come later; no attempt is charged.</summary>
    Later,

    /// <summary>The row's own fault: it would fail again.</summary>
    Permanent,

    /// <summary>The endpoint cannot be called at all, by what is certain: every row would fail.</summary>
    DeploymentFault,

    /// <summary>The key or the account is refused: mostly every row would fail.</summary>
    AccountFault,

    /// <summary>A 403 or a redirect: of the row, the model or the path.</summary>
    Refused,

    /// <summary>The deployment does not have this model: every row of the queue would fail.</summary>
    ModelFault,

    /// <summary>Another 4xx, whose code is no known fault of a row: the row's own, or the batch's.</summary>
    Unexplained,

    /// <summary>The call was never sent: the quota's gate or the circuit is closed. Nothing is charged.</summary>
    NotSent,
}
