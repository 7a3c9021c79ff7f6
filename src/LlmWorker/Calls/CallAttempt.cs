namespace LlmPipeline;

/// <summary>One call of a job on a deployment, and its outcome.</summary>
/// <param name="Deployment">Where it was made.</param>
/// <param name="Context">What the handler has noted of it.</param>
/// <param name="Answer">The last HTTP answer; one with a failure alone when nothing was sent.</param>
/// <param name="Found">The classification of the answer.</param>
internal readonly record struct CallAttempt(Deployment Deployment, CallContext Context, HttpAnswer Answer, Classified Found)
{
    /// <summary>The status: that of an error inside the body, else that of the HTTP answer.</summary>
    public int? Status => Found.Status ?? Answer.Status;

    /// <summary>The model that was asked for, with its gate and circuit.</summary>
    public DeploymentModel Model => Deployment.Of(Context.Model);
}
